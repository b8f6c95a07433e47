<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Options;

/**
 * The logger and the interrupt callback of one client, in the form that the library calls.
 *
 * Nothing is ever thrown through the library: PHP would end the process. Two functions serve all clients, because PHP
 * frees such functions no earlier than at the end of the request.
 *
 * @internal
 */
final class Hooks
{
    /** The library's level by PSR-3's: the least important one that is logged. */
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

    /** PSR-3's level by the library's. */
    private const NAMES = [1 => 'error', 2 => 'warning', 3 => 'info', 4 => 'debug', 5 => 'debug'];

    /** The ue_log_fn and the ue_interrupt_fn, in a ue_options. */
    private static ?FFI\CData $functions = null;

    /** @var array<int, \WeakReference<self>> By the number that user_data points to. */
    private static array $all = [];
    private static int $last = 0;

    /** What an interrupt callback threw, until the call is over. */
    private static ?\Throwable $thrown = null;

    private int $number;
    private FFI\CData $userData;

    public function __construct(private Options $options)
    {
        $this->number = ++self::$last;
        $this->userData = Native::new('int64_t');
        $this->userData->cdata = $this->number;
        self::$all[$this->number] = \WeakReference::create($this);
    }

    public function __destruct()
    {
        unset(self::$all[$this->number]);
    }

    /** Sets the callbacks of a ue_options, which need this object as long as a client has them. */
    public function set(FFI\CData $options): void
    {
        $functions = self::$functions ??= self::functions();
        $userData = Native::ffi()->cast('void *', FFI::addr($this->userData));
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

    /** Begins a call of the library that may call back. Returns what end() wants. */
    public static function begin(): bool
    {
        return Signals::hold();
    }

    /** Ends a call, and throws what an interrupt callback threw. */
    public static function end(bool $held): void
    {
        $thrown = self::$thrown;
        self::$thrown = null;
        try {
            Signals::release($held);
        } finally {
            if ($thrown !== null) {
                throw $thrown;
            }
        }
    }

    private static function functions(): FFI\CData
    {
        $functions = Native::new('ue_options');
        $functions->log = static function (FFI\CData $userData, int $level, string $text): void {
            try {
                self::of($userData)?->options->logger?->log(self::NAMES[$level] ?? 'debug', $text);
            } catch (\Throwable $thrown) {
                // It must not make a delivered message look like a failure.
                error_log('UserEngage: the logger failed: ' . $thrown->getMessage());
            }
        };
        $functions->interrupt = static function (FFI\CData $userData): int {
            try {
                Signals::dispatch();
                $interrupt = self::of($userData)?->options->interrupt;
                return $interrupt !== null && (bool) $interrupt() ? 1 : 0;
            } catch (\Throwable $thrown) {
                self::$thrown = $thrown;
                return 1;
            }
        };
        return $functions;
    }

    private static function level(string $name): int
    {
        return self::LEVELS[$name] ?? throw new InvalidArgumentException(
            "logLevel is \"$name\": give one of " . implode(', ', array_keys(self::LEVELS)),
        );
    }

    private static function of(FFI\CData $userData): ?self
    {
        $number = (int) Native::ffi()->cast('int64_t *', $userData)[0];
        return (self::$all[$number] ?? null)?->get();
    }
}
