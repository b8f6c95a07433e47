<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Options;

/**
 * The logger and the interrupt callback of one client, in the form that the library calls.
 *
 * The callbacks never throw through the library: PHP would end the process. Two functions serve all clients, because
 * PHP frees such functions only at the end of the request.
 *
 * @internal
 */
final class Hooks
{
    /** From a PSR-3 level to the library's level. The option names the least important level that is logged. */
    private const LEVELS = [
        'emergency' => 1,
        'alert' => 1,
        'critical' => 1,
        'error' => 1,
        'warning' => 2,
        'notice' => 2,
        'info' => 3,
        'debug' => 5,
    ];

    /** From the library's level to PSR-3's. */
    private const NAMES = [1 => 'error', 2 => 'warning', 3 => 'info', 4 => 'debug', 5 => 'debug'];

    /** The ue_log_fn and the ue_interrupt_fn, in a ue_options. */
    private static ?FFI\CData $functions = null;

    /** @var list<?\Throwable> What a callback threw, for each call in flight. A callback may make calls itself. */
    private static array $thrown = [];

    private UserData $userData;

    public function __construct(private Options $options)
    {
        $this->userData = new UserData($this);
    }

    /** Sets the callbacks of a ue_options. This object must outlive the client that has them. */
    public function set(FFI\CData $options): void
    {
        $functions = self::$functions ??= self::functions();
        $userData = $this->userData->pointer();
        if ($this->options->logger !== null) {
            $options->log = $functions->log;
            $options->log_user_data = $userData;
            $options->log_level = self::level($this->options->logLevel);
        }
        if ($this->options->interrupt !== null) {
            $options->interrupt = $functions->interrupt;
            $options->interrupt_user_data = $userData;
        }
    }

    /** Begins a call of the library that may call back. Pass the returned value to end(). */
    public static function begin(): bool
    {
        self::$thrown[] = null;
        return Signals::hold();
    }

    /** Keeps a callback's exception until the call is over. */
    public static function keep(\Throwable $thrown): void
    {
        self::$thrown[count(self::$thrown) - 1] = $thrown;
    }

    /** Ends a call, and throws the exception that a callback threw. */
    public static function end(bool $held): void
    {
        $thrown = array_pop(self::$thrown);
        try {
            Signals::release($held);
        } finally {
            if ($thrown !== null) {
                throw $thrown;
            }
        }
    }

    /** Between begin() and end(): runs signal handlers and the interrupt callback. Returns whether to cancel. */
    public function interrupt(): bool
    {
        try {
            Signals::dispatch();
            $interrupt = $this->options->interrupt;
            return $interrupt !== null && (bool) $interrupt();
        } catch (\Throwable $thrown) {
            self::keep($thrown);
            return true;
        }
    }

    private static function functions(): FFI\CData
    {
        $functions = Native::new('ue_options');
        $functions->log = static function (FFI\CData $userData, int $level, string $text): void {
            self::of($userData)?->log($level, $text);
        };
        $functions->interrupt = static function (FFI\CData $userData): int {
            return (int) self::of($userData)?->interrupt();
        };
        return $functions;
    }

    private function log(int $level, string $text): void
    {
        try {
            $this->options->logger?->log(self::NAMES[$level] ?? 'debug', $text);
        } catch (\Throwable $thrown) {
            // Not thrown: a failing logger must not make a delivered message look like a failure.
            error_log('UserEngage: the logger failed: ' . $thrown->getMessage());
        }
    }

    private static function level(string $name): int
    {
        return self::LEVELS[$name] ?? throw new InvalidArgumentException(
            "logLevel is \"$name\": give one of " . implode(', ', array_keys(self::LEVELS)),
        );
    }

    private static function of(FFI\CData $userData): ?self
    {
        $hooks = UserData::object($userData);
        return $hooks instanceof self ? $hooks : null;
    }
}
