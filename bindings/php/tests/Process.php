<?php

declare(strict_types=1);

namespace UserEngage\Tests;

/** A finished program: status and output. */
final class Process
{
    private function __construct(
        public readonly int $status,
        public readonly string $output,
        public readonly string $errors,
    ) {
    }

    /**
     * @param list<string> $command
     * @param array<string, string> $environment
     */
    public static function run(array $command, ?string $directory = null, array $environment = []): self
    {
        $errors = tmpfile();
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => $errors], $pipes, $directory, $environment + getenv());
        $output = stream_get_contents($pipes[1]);
        fclose($pipes[1]);
        $status = proc_close($process);
        rewind($errors);
        return new self($status, $output, stream_get_contents($errors));
    }
}
