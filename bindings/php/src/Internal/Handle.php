<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;

/**
 * Owns a ue_client. Frees it with its Client, or at the end of a request after a fatal error such as "Allowed memory
 * size exhausted": PHP calls no destructors then, and under a web server the process lives on.
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
            // Registered from a shutdown function, so that it runs after those of the application.
            register_shutdown_function(static fn () => register_shutdown_function(self::freeAfterFatalError(...)));
        }
    }

    /** The pointer, for a call that ends with end(). Null after free(): the library then refuses the call by name. */
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
            // ue_free waits for calls, and would wait forever for one that the error interrupted.
            if ($handle->calls === 0) {
                $handle->free();
            }
        }
    }
}
