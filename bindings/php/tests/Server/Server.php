<?php

declare(strict_types=1);

namespace UserEngage\Tests\Server;

/** A web server that runs send.php, with its configuration in its own directory. It ends with this object. */
abstract class Server
{
    protected readonly string $directory;

    /** @var list<resource> */
    private array $processes = [];

    /** @param string $documents The folder that it serves. */
    final protected function __construct(protected readonly string $documents = __DIR__)
    {
        $this->directory = sys_get_temp_dir() . '/userengage-php-' . bin2hex(random_bytes(6));
        mkdir($this->directory);
        chmod($this->directory, 0755);
    }

    public function __destruct()
    {
        foreach (array_reverse($this->processes) as $process) {
            proc_terminate($process);
            proc_close($process);
        }
        array_map(unlink(...), array_filter(glob("$this->directory/*") ?: [], is_file(...)));
        array_map(unlink(...), glob("$this->directory/*.sock") ?: []);
        array_map(rmdir(...), glob("$this->directory/*", GLOB_ONLYDIR) ?: []);
        rmdir($this->directory);
    }

    /** Where it listens, for stream_socket_client. */
    abstract protected function address(): string;

    /** The body of one page. */
    public function page(string $path): string
    {
        return $this->answer($this->ask($path));
    }

    /**
     * Requests send.php, a few times in parallel, and returns the bodies of the answers.
     *
     * @return list<string>
     */
    public function get(string $to, int $requests = 1): array
    {
        $bodies = [];
        foreach (array_chunk(range(1, $requests), 8) as $numbers) {
            $connections = [];
            foreach ($numbers as $n) {
                $connections[] = $this->ask('/send.php?' . http_build_query(['to' => $to, 'n' => $n]));
            }
            foreach ($connections as $connection) {
                $bodies[] = $this->answer($connection);
            }
        }
        return $bodies;
    }

    /**
     * Starts a program that ends with this process at the latest.
     *
     * @param list<string> $command
     */
    protected function start(array $command, array $environment = []): void
    {
        $log = ['file', "$this->directory/log", 'a'];
        $environment += ['PATH' => getenv('PATH') . ':/usr/sbin'] + getenv();
        // In its own process group: at its end, Apache sends SIGTERM to the whole group.
        $command = ['setpriv', '--pdeathsig', 'TERM', 'setsid', ...$command];
        $null = ['file', '/dev/null', 'r'];
        $process = proc_open($command, [$null, $log, $log], $pipes, $this->directory, $environment);
        if ($process === false) {
            throw new \RuntimeException('cannot start ' . implode(' ', $command));
        }
        $this->processes[] = $process;
    }

    /** Waits until it answers. */
    protected function waitUntilReady(string $address): void
    {
        $deadline = microtime(true) + 20;
        while (!($connection = @stream_socket_client($address))) {
            $status = proc_get_status($this->processes[array_key_last($this->processes)]);
            if (!$status['running'] || microtime(true) > $deadline) {
                throw new \RuntimeException("not ready:\n" . file_get_contents("$this->directory/log"));
            }
            usleep(2000);
        }
        fclose($connection);
    }

    /** @return resource */
    private function ask(string $path)
    {
        $connection = stream_socket_client($this->address(), $code, $error) ?: throw new \RuntimeException($error);
        fwrite($connection, "GET $path HTTP/1.0\r\nHost: localhost\r\n\r\n");
        return $connection;
    }

    /** @param resource $connection */
    private function answer($connection): string
    {
        $answer = (string) stream_get_contents($connection);
        fclose($connection);
        return explode("\r\n\r\n", $answer, 2)[1] ?? '';
    }
}
