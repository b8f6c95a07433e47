<?php

declare(strict_types=1);

namespace UserEngage\Internal;

/**
 * Signals' handlers while the library calls back.
 *
 * With pcntl_async_signals(true), PHP may run a handler as a callback returns, where nothing catches what it throws and
 * PHP ends the process. So handlers are held back during a call, and run in the interrupt callback and after the call.
 *
 * @internal
 */
final class Signals
{
    private static bool $held = false;

    /** Begins to hold handlers back. Returns what release() wants. */
    public static function hold(): bool
    {
        if (!\function_exists('pcntl_async_signals') || !pcntl_async_signals()) {
            return false;
        }
        pcntl_async_signals(false);
        return self::$held = true;
    }

    /** Runs the handlers that were held back, where a throw is caught. */
    public static function dispatch(): void
    {
        if (self::$held) {
            pcntl_signal_dispatch();
        }
    }

    /** Ends what hold() began, and runs the handlers that are left. */
    public static function release(bool $held): void
    {
        if ($held) {
            self::$held = false;
            pcntl_async_signals(true);
            pcntl_signal_dispatch();
        }
    }
}
