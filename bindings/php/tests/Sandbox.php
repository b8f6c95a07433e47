<?php

declare(strict_types=1);

namespace UserEngage\Tests;

/** A UserEngage on this machine. It ends with this object or with this process. */
final class Sandbox
{
    private static ?self $shared = null;

    /** @var array<string, ?string> */
    private array $ready;

    /** @var resource */
    private $process;

    /** @var array<int, resource> */
    private array $pipes = [];

    /** Shared by all tests of this process; each uses its own users. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    public function __construct(string ...$arguments)
    {
        $command = [self::binary(), '--port', '0', '--json', '--until-stdin-closes', ...$arguments];
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w'], STDERR], $this->pipes);
        if ($process === false) {
            throw new \RuntimeException('the sandbox does not start: ' . implode(' ', $command));
        }
        $this->process = $process;
        $this->ready = json_decode((string) fgets($this->pipes[1]), true, flags: JSON_THROW_ON_ERROR);
    }

    public function __destruct()
    {
        array_map(fclose(...), $this->pipes);
        proc_close($this->process);
    }

    public function baseUrl(): string
    {
        return (string) $this->ready['base_url'];
    }

    public function tlsBaseUrl(): string
    {
        return (string) $this->ready['tls_base_url'];
    }

    public function caFile(): string
    {
        return (string) $this->ready['ca_file'];
    }

    public function apiKey(): string
    {
        return (string) $this->ready['api_key'];
    }

    /** @return list<array<string, mixed>> The requests to a user, as they came. */
    public function requests(int|string $clientUserId): array
    {
        return $this->ask('GET', self::requestsTo($clientUserId));
    }

    /** Where another process reads them, as JSON. */
    public function requestsUrl(int|string $clientUserId): string
    {
        return $this->ready['control_url'] . '_sandbox/' . self::requestsTo($clientUserId);
    }

    /** Orders a fault for the requests to one user. */
    public function fault(string $clientUserId, string $fault, mixed ...$parameters): void
    {
        $this->ask('POST', 'faults', ['fault' => $fault, 'client_user_id' => $clientUserId, ...$parameters]);
    }

    private static function requestsTo(int|string $clientUserId): string
    {
        return 'requests?' . http_build_query(['client_user_id' => $clientUserId]);
    }

    private function ask(string $method, string $path, mixed $body = null): mixed
    {
        $context = stream_context_create(['http' => [
            'method' => $method,
            'header' => 'Content-Type: application/json',
            'content' => $body === null ? '' : json_encode($body, JSON_THROW_ON_ERROR),
            'ignore_errors' => true,
        ]]);
        $answer = file_get_contents($this->ready['control_url'] . '_sandbox/' . $path, false, $context);
        $value = json_decode((string) $answer, true);
        if (!preg_match('~^HTTP/1.. 2~', $http_response_header[0])) {
            throw new \RuntimeException("$method $path: $answer");
        }
        return $value;
    }

    private static function binary(): string
    {
        return getenv('UE_SANDBOX') ?: dirname(__DIR__, 3) . '/target/release/ue-sandbox';
    }
}
