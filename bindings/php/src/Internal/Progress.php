<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;

/**
 * The progress callback of one sendConversations(), in the form that the library calls.
 *
 * @internal
 */
final class Progress
{
    /** The ue_progress_fn, shared by all: PHP frees such functions only at the end of the request. */
    private static ?FFI\CData $functions = null;

    private UserData $userData;
    private bool $stopped = false;

    /** The number of messages in the steps before this one. */
    private int $before = 0;

    /** @param \Closure(int, ?int): mixed $callback */
    public function __construct(private \Closure $callback, private ?int $count)
    {
        $this->userData = new UserData($this);
    }

    public function function(): FFI\CData
    {
        if (self::$functions === null) {
            $functions = Native::array('ue_progress_fn', 1);
            $functions[0] = static function (FFI\CData $userData, int $done, int $count): int {
                $progress = UserData::object($userData);
                return $progress instanceof self ? FiberCall::leave(static fn (): int => $progress->tell($done)) : 0;
            };
            self::$functions = $functions;
        }
        return self::$functions[0];
    }

    /** Valid as long as this object. */
    public function userData(): FFI\CData
    {
        return $this->userData->pointer();
    }

    /** Counts a step as done. */
    public function advance(int $step): void
    {
        $this->before += $step;
    }

    public function hasStopped(): bool
    {
        return $this->stopped;
    }

    /** Returns 1 to end the batch. After that, the callback is not called any more. */
    private function tell(int $done): int
    {
        try {
            if (!$this->stopped) {
                Signals::dispatch();
                // Only true counts: `fn ($done) => print($done)` returns 1 by accident.
                $this->stopped = ($this->callback)($this->before + $done, $this->count) === true;
            }
        } catch (\Throwable $thrown) {
            Hooks::keep($thrown);
            $this->stopped = true;
        }
        return (int) $this->stopped;
    }
}
