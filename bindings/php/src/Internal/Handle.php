<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;

/**
 * A ue_client, and when it is freed: with its Client, or at the end of a request that a fatal error ended, such as
 * "Allowed memory size exhausted". PHP calls no destructors then, and the process lives on under a web server.
 *
 * @internal
 */
final class Handle
{
    /** @var array<int, self> */
    private static array $all = [];
    private static bool $registered = false;

    private int $calls = 0;

    public function __construct(private ?FFI\CData $pointer)
    {
        self::$all[spl_object_id($this)] = $this;
        if (!self::$registered) {
            self::$registered = true;
            // Once more, so that it comes after those of the application.
            register_shutdown_function(static fn () => register_shutdown_function(self::freeAfterFatalError(...)));
        }
    }

    /** The pointer, for a call that ends with end(). Null: it was freed, which the library refuses by name. */
    public function begin(): ?FFI\CData
    {
        $this->calls++;
        return $this->pointer;
    }

    public function end(): void
    {
        $this->calls--;
    }

    public function free(): void
    {
        unset(self::$all[spl_object_id($this)]);
        if ($this->pointer !== null) {
            Native::ffi()->ue_free($this->pointer);
            $this->pointer = null;
        }
    }

    private static function freeAfterFatalError(): void
    {
        $error = error_get_last();
        $fatal = $error !== null && ($error['type'] & (E_ERROR | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR)) !== 0;
        if (!$fatal || str_starts_with($error['message'], 'Uncaught ')) {
            return; // destructors follow
        }
        foreach (self::$all as $handle) {
            // A call that the error left half-way would be waited for without end.
            if ($handle->calls === 0) {
                $handle->free();
            }
        }
    }
}
