<?php

declare(strict_types=1);

namespace UserEngage\Internal;

/**
 * A call of the library that runs in a fiber and comes out of it for each callback.
 *
 * PHP leaves a callback that exits, or that a fatal error ends, with a longjmp. A batch must not be left like that: its
 * threads use what stands on its stack. So PHP leaves the code around the fiber instead, and the call ends at shutdown.
 *
 * @internal
 */
final class Excursion
{
    /** @var array<int, \Fiber<mixed, int, void, \Closure(): int>> Those of the calls under way, by their object ids. */
    private static array $all = [];
    private static bool $registered = false;

    /**
     * Makes the call, and runs here what its callbacks ask for.
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
            // PHP has places where no fiber can start, such as signals' handlers and, before 8.4, destructors.
            $call();
        }
        while ($fiber->isSuspended()) {
            $callback = $fiber->resume($callback());
        }
        unset(self::$all[spl_object_id($fiber)]);
    }

    /**
     * For a callback of the library: what $callback returns, which must throw nothing.
     *
     * @param \Closure(): int $callback
     */
    public static function leave(\Closure $callback): int
    {
        $fiber = \Fiber::getCurrent();
        return $fiber !== null && isset(self::$all[spl_object_id($fiber)]) ? \Fiber::suspend($callback) : $callback();
    }

    /** Stops what exit() or a fatal error left half-way, before PHP takes its memory. */
    private static function endAll(): void
    {
        foreach (self::$all as $fiber) {
            while ($fiber->isSuspended()) {
                $fiber->resume(1);
            }
        }
    }
}
