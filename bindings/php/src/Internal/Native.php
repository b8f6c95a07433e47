<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\LibraryException;

/**
 * Finds the shared library and gives the one FFI object of this process.
 *
 * @internal
 */
final class Native
{
    private const UINT32_MAX = 0xffffffff;

    private static ?FFI $ffi = null;

    /** @var array<string, FFI\CType> By name: parsing a type costs more than using it. */
    private static array $types = [];

    public static function ffi(): FFI
    {
        return self::$ffi ??= self::preloaded() ?? self::open(self::library());
    }

    /** A zeroed value of a type of the header. */
    public static function new(string $type): FFI\CData
    {
        $ffi = self::ffi();
        return $ffi->new(self::$types[$type] ??= $ffi->type($type));
    }

    /** An array of zeroed values of a type of the header. The count is 1 or more. */
    public static function array(string $type, int $count): FFI\CData
    {
        $ffi = self::ffi();
        return $ffi->new(FFI::arrayType(self::$types[$type] ??= $ffi->type($type), [$count]));
    }

    /** Copies $text and a final NUL into memory that C can read. */
    public static function copy(#[\SensitiveParameter] string $text): FFI\CData
    {
        $length = strlen($text) + 1;
        $copy = self::array('char', $length);
        FFI::memcpy($copy, $text . "\0", $length);
        return $copy;
    }

    /** The path of the library: from USERENGAGE_LIBRARY, beside the package, in a checkout, or the system's. */
    public static function library(): string
    {
        $chosen = getenv('USERENGAGE_LIBRARY');
        if ($chosen !== false && $chosen !== '') {
            return $chosen;
        }
        $bundled = self::bundled();
        foreach ([$bundled, dirname(__DIR__, 4) . '/target/release/' . basename($bundled)] as $path) {
            if (is_file($path)) {
                return $path;
            }
        }
        return PHP_OS_FAMILY === 'Linux' ? self::soname() : basename($bundled);
    }

    /** Where the library beside the package is, or would be. */
    public static function bundled(): string
    {
        return dirname(__DIR__, 2) . '/lib/' . match (PHP_OS_FAMILY) {
            'Windows' => 'userengage.dll',
            'Darwin' => 'libuserengage.dylib',
            default => 'libuserengage.so',
        };
    }

    /** The version of a library, if it can be used here. */
    public static function version(string $library): string
    {
        return self::open($library)->ue_version();
    }

    /**
     * Keeps the library and its header for all requests. Only for a preload script.
     *
     * Does nothing if ffi.preload has done it, or if PHP cannot do it (before 8.3, with opcache.preload_user). In the
     * latter case each request reads the header.
     */
    public static function preload(): void
    {
        $user = ini_get('opcache.preload_user');
        if (self::preloaded() !== null || (PHP_VERSION_ID < 80300 && $user !== false && $user !== '')) {
            return;
        }
        $file = tempnam(sys_get_temp_dir(), 'userengage');
        if ($file === false || file_put_contents($file, self::headerFor(self::library())) === false) {
            throw new LibraryException('no temporary file can be written in ' . sys_get_temp_dir());
        }
        try {
            FFI::load($file);
        } catch (FFI\Exception $exception) {
            throw self::explained($exception, self::library());
        } finally {
            unlink($file);
        }
    }

    /** The header with the path of a library in it, as FFI::load and ffi.preload need it. */
    public static function headerFor(string $library): string
    {
        $line = '#define FFI_LIB "' . addcslashes($library, '"\\') . '"';
        return (string) preg_replace_callback('/^#define FFI_LIB .*$/m', static fn (): string => $line, self::header());
    }

    /** Returns $text, and refuses a NUL in it: C's strings end there. */
    public static function text(string $field, #[\SensitiveParameter] string $text): string
    {
        $at = strpos($text, "\0");
        if ($at !== false) {
            throw new InvalidArgumentException("$field has a NUL character at byte $at: remove it");
        }
        return $text;
    }

    /** The name under which a Linux system has the library with the ABI of the header. */
    private static function soname(): string
    {
        preg_match('/^#define FFI_LIB "(.*)"$/m', self::header(), $found);
        return $found[1];
    }

    /** Refuses 0, which means the default to C, and numbers that a uint32_t would cut off. */
    public static function count(string $field, int $count): int
    {
        if ($count < 1 || $count > self::UINT32_MAX) {
            throw new InvalidArgumentException("$field is $count: give 1 or more, or leave it out for the default");
        }
        return $count;
    }

    /** Rounds up: less than a millisecond must not become 0, which means the default to C. */
    public static function milliseconds(string $field, float $seconds): int
    {
        $milliseconds = ceil($seconds * 1000);
        if (!($milliseconds >= 1 && $milliseconds <= self::UINT32_MAX)) {
            throw new InvalidArgumentException(
                "$field is $seconds: give seconds, more than 0 and at most 24 days, or leave it out for the default",
            );
        }
        return (int) $milliseconds;
    }

    private static function header(): string
    {
        return (string) file_get_contents(dirname(__DIR__) . '/userengage.ffi.h');
    }

    private static function preloaded(): ?FFI
    {
        try {
            return class_exists(FFI::class) ? FFI::scope('USERENGAGE') : null;
        } catch (FFI\Exception) {
            return null;
        }
    }

    private static function open(string $library): FFI
    {
        if (!class_exists(FFI::class)) {
            throw new LibraryException(
                'PHP lacks its FFI extension: install it (in Debian it is in php-common), and set extension=ffi in '
                . self::iniFile(),
            );
        }
        try {
            return FFI::cdef(self::header(), $library);
        } catch (FFI\Exception $exception) {
            throw self::explained($exception, $library);
        }
    }

    private static function explained(FFI\Exception $exception, string $library): LibraryException
    {
        $reason = $exception->getMessage();
        $remedy = 'install the one for ' . PHP_OS_FAMILY . ' on ' . php_uname('m') . ' (vendor/bin/userengage-install'
            . ' does), or set USERENGAGE_LIBRARY to its path';
        $text = match (true) {
            str_contains($reason, 'ffi.enable')
                => 'PHP may not use FFI here: set ffi.enable=true in ' . self::iniFile() . ', or preload the package'
                . ' (its README.md tells how), and restart PHP',
            str_contains($reason, 'Failed resolving')
                => "$library is not the library, or an older one than this package ($reason): $remedy",
            default => "$library cannot be loaded ($reason): $remedy",
        };
        return new LibraryException($text, previous: $exception);
    }

    private static function iniFile(): string
    {
        return php_ini_loaded_file() ?: 'php.ini';
    }
}
