<?php

declare(strict_types=1);

namespace UserEngage\Tests\Server;

/** php-fpm with four workers, behind nginx. */
final class Fpm extends Server
{
    /**
     * @param array<string, string> $ini Settings of php.ini.
     * @param ?string $user The user of php-fpm's master; needs root. Default: this user.
     * @param string $documents The folder that it serves.
     */
    public static function with(array $ini, ?string $user = null, string $documents = __DIR__): self
    {
        $server = new self($documents);
        $server->startFpm($ini, $user);
        $server->startNginx();
        return $server;
    }

    protected function address(): string
    {
        return "unix://$this->directory/nginx.sock";
    }

    /** @param array<string, string> $ini */
    private function startFpm(array $ini, ?string $user): void
    {
        file_put_contents("$this->directory/fpm.conf", <<<INI
            [global]
            error_log = $this->directory/fpm.log
            [www]
            user = www-data
            listen = $this->directory/fpm.sock
            listen.mode = 0666
            pm = static
            pm.max_children = 4
            clear_env = no
            INI);
        $as = [];
        if ($user !== null) {
            chown($this->directory, $user);
            $as = ['setpriv', '--reuid', $user, '--regid', $user, '--clear-groups'];
        }
        $program = 'php-fpm' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION;
        $settings = array_map(static fn ($key, $value) => "-d$key=$value", array_keys($ini), $ini);
        $this->start([...$as, $program, '-F', '-y', "$this->directory/fpm.conf", ...$settings]);
        $this->waitUntilReady("unix://$this->directory/fpm.sock");
    }

    private function startNginx(): void
    {
        file_put_contents("$this->directory/nginx.conf", <<<NGINX
            daemon off;
            pid nginx.pid;
            error_log stderr;
            events {}
            http {
                access_log off;
                client_body_temp_path body;
                fastcgi_temp_path fastcgi;
                proxy_temp_path proxy;
                scgi_temp_path scgi;
                uwsgi_temp_path uwsgi;
                server {
                    listen unix:nginx.sock;
                    location / {
                        fastcgi_pass unix:$this->directory/fpm.sock;
                        fastcgi_param SCRIPT_FILENAME "$this->documents\$fastcgi_script_name";
                        fastcgi_param QUERY_STRING \$query_string;
                        fastcgi_param REQUEST_METHOD \$request_method;
                    }
                }
            }
            NGINX);
        $this->start(['nginx', '-p', $this->directory, '-c', 'nginx.conf', '-e', 'stderr']);
        $this->waitUntilReady($this->address());
    }
}
