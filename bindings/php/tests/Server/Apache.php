<?php

declare(strict_types=1);

namespace UserEngage\Tests\Server;

/** Apache with mod_php in four processes. */
final class Apache extends Server
{
    private string $address = '';

    /** @param array<string, string> $ini Settings of php.ini. */
    public static function with(array $ini): self
    {
        $server = new self();
        $server->startApache($ini);
        return $server;
    }

    protected function address(): string
    {
        return $this->address;
    }

    /** @param array<string, string> $ini */
    private function startApache(array $ini): void
    {
        $settings = array_map(static fn ($key, $value) => "$key = $value\n", array_keys($ini), $ini);
        file_put_contents("$this->directory/php.ini", implode($settings));
        $port = self::freePort();
        $php = PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION;
        file_put_contents("$this->directory/apache.conf", <<<APACHE
            ServerRoot /usr/lib/apache2
            ServerName localhost
            Listen 127.0.0.1:$port
            PidFile $this->directory/pid
            Mutex file:$this->directory
            User www-data
            Group www-data
            LoadModule authz_core_module modules/mod_authz_core.so
            LoadModule mpm_prefork_module modules/mod_mpm_prefork.so
            LoadModule php_module modules/libphp$php.so
            PHPIniDir $this->directory
            ErrorLog $this->directory/error.log
            StartServers 4
            MaxRequestWorkers 4
            KeepAlive Off
            DocumentRoot "$this->documents"
            <Files "*.php">
                SetHandler application/x-httpd-php
            </Files>
            APACHE);
        $this->address = "tcp://127.0.0.1:$port";
        $this->start(['apache2', '-D', 'FOREGROUND', '-f', "$this->directory/apache.conf"]);
        $this->waitUntilReady($this->address);
    }

    private static function freePort(): int
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $port = (int) substr(strrchr((string) stream_socket_get_name($socket, false), ':'), 1);
        fclose($socket);
        return $port;
    }
}
