<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use Psr\Log\AbstractLogger;

/** Keeps its lines, and then calls a function. */
final class Logger extends AbstractLogger
{
    /** @var list<string> */
    public array $lines = [];

    public function __construct(private ?\Closure $then = null)
    {
    }

    public function log($level, $message, array $context = []): void
    {
        $this->lines[] = "$level $message";
        if ($this->then !== null) {
            ($this->then)();
        }
    }
}
