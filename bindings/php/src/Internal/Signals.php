<?php

declare(strict_types=1);

namespace UserEngage\Internal;

/**
 * Holds signal handlers back while the library may call back.
 *
 * With pcntl_async_signals(true), PHP may run a handler as a callback returns. Nothing catches an exception there, and
 * PHP ends the process. So handlers are held back during a call, and run in the interrupt callback and after the call.
 *
 * @internal
 */
final class Signals
{
    private static bool $held = false;

    /** Begins to hold handlers back. Pass the returned value to release(). */
    public static function hold(): bool
    {
        if (!\function_exists('pcntl_async_signals') || !pcntl_async_signals()) {
            return false;
        }
        pcntl_async_signals(false);
        return self::$held = true;
    }

    /** Runs the handlers that were held back. The caller catches what they throw. */
    public static function dispatch(): void
    {
        if (self::$held) {
            pcntl_signal_dispatch();
        }
    }

    /** Ends what hold() began, and runs the remaining handlers. */
    public static function release(bool $held): void
    {
        if ($held) {
            self::$held = false;
            pcntl_async_signals(true);
            pcntl_signal_dispatch();
        }
    }
}
