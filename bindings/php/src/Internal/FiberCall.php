<?php

declare(strict_types=1);

namespace UserEngage\Internal;

/**
 * Runs a call of the library in a fiber. Each callback suspends the fiber and runs outside of it.
 *
 * When a callback calls exit() or meets a fatal error, PHP leaves it with a longjmp. That must not cut through a batch,
 * because the batch's threads use its stack. Outside of the fiber, the longjmp leaves the fiber suspended; endAll()
 * resumes it at shutdown, and the call ends.
 *
 * @internal
 */
final class FiberCall
{
    /** @var array<int, \Fiber<mixed, int, void, \Closure(): int>> The calls in flight, by object id. */
    private static array $all = [];
    private static bool $registered = false;

    /**
     * Makes the call, and runs its callbacks here, outside of the fiber.
     *
     * @param \Closure(): void $call
     */
    public static function run(\Closure $call): void
    {
        if (!self::$registered) {
            self::$registered = true;
            register_shutdown_function(self::endAll(...));
        }
        $fiber = new \Fiber($call);
        self::$all[spl_object_id($fiber)] = $fiber;
        try {
            $callback = $fiber->start();
        } catch (\FiberError) {
            // PHP cannot start a fiber in a signal handler or, before 8.4, in a destructor.
            $call();
        }
        while ($fiber->isSuspended()) {
            $callback = $fiber->resume($callback());
        }
        unset(self::$all[spl_object_id($fiber)]);
    }

    /**
     * Runs $callback outside of the fiber and returns its value. Callbacks of the library use it. $callback must not
     * throw.
     *
     * @param \Closure(): int $callback
     */
    public static function leave(\Closure $callback): int
    {
        $fiber = \Fiber::getCurrent();
        return $fiber !== null && isset(self::$all[spl_object_id($fiber)]) ? \Fiber::suspend($callback) : $callback();
    }

    /** Ends the calls that exit() or a fatal error interrupted, before PHP frees their memory. */
    private static function endAll(): void
    {
        foreach (self::$all as $fiber) {
            while ($fiber->isSuspended()) {
                $fiber->resume(1);
            }
        }
    }
}
