<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;

/**
 * The user_data that the library passes to a callback. It leads to an object as long as this lives.
 *
 * @internal
 */
final class UserData
{
    /** @var array<int, \WeakReference<object>> By the number that the pointer points to. */
    private static array $all = [];
    private static int $last = 0;

    private int $number;
    private FFI\CData $memory;

    public function __construct(object $object)
    {
        $this->number = ++self::$last;
        $this->memory = Native::new('int64_t');
        $this->memory->cdata = $this->number;
        self::$all[$this->number] = \WeakReference::create($object);
    }

    public function __destruct()
    {
        unset(self::$all[$this->number]);
    }

    /** Valid as long as this object. */
    public function pointer(): FFI\CData
    {
        return Native::ffi()->cast('void *', FFI::addr($this->memory));
    }

    /** The object to which a callback's user_data leads. */
    public static function object(FFI\CData $pointer): ?object
    {
        $number = (int) Native::ffi()->cast('int64_t *', $pointer)[0];
        return (self::$all[$number] ?? null)?->get();
    }
}
