<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use UserEngage\Exception\LibraryException;

/**
 * Installs the shared library where this package finds it.
 *
 * @internal
 */
final class Installer
{
    public const USAGE = <<<'TEXT'
        Usage: userengage-install FILE

        FILE is a release archive (.tar.gz), a Debian package (.deb), or the shared library itself.
        The library is checked and copied into the package's folder lib, where userengage/userengage looks first.

        TEXT;

    private const NAME = '/^(libuserengage\.so[.0-9]*|libuserengage[.0-9]*\.dylib|userengage\.dll)$/';

    /**
     * Installs from $file, and returns the lines to print. Running programs keep the library that they have loaded.
     *
     * @return list<string>
     */
    public static function install(string $file): array
    {
        if (!is_file($file)) {
            throw new LibraryException("$file is not a file: give a release archive, a Debian package or the library");
        }
        $scratch = self::scratch();
        try {
            $library = preg_match('/\.(tar\.gz|tgz|deb)$/', $file) === 1 ? self::unpacked($file, $scratch) : $file;
            $version = Native::version((string) realpath($library));
            $installed = self::put($library, basename(Native::bundled()));
            $header = self::write(Native::headerFor($installed), 'userengage.h');
        } finally {
            self::remove($scratch);
        }
        return [
            "libuserengage $version is now $installed",
            "For a web server with ffi.preload: ffi.preload=$header",
        ];
    }

    private static function unpacked(string $archive, string $into): string
    {
        $command = str_ends_with($archive, '.deb')
            ? ['dpkg-deb', '-x', $archive, $into]
            : ['tar', '-xf', $archive, '-C', $into];
        [$output, $status] = [[], 0];
        exec(implode(' ', array_map(escapeshellarg(...), $command)) . ' 2>&1', $output, $status);
        if ($status !== 0) {
            throw new LibraryException("$archive cannot be unpacked: " . implode(' ', $output));
        }
        $files = new \RecursiveIteratorIterator(
            new \RecursiveDirectoryIterator($into, \FilesystemIterator::SKIP_DOTS),
        );
        /** @var \SplFileInfo $file */
        foreach ($files as $file) {
            if (!$file->isLink() && preg_match(self::NAME, $file->getFilename()) === 1) {
                return $file->getPathname();
            }
        }
        throw new LibraryException("$archive holds no shared library: give one made for " . PHP_OS_FAMILY);
    }

    /** Replaces the file and never overwrites it: a program that has it mapped would crash. */
    private static function put(string $from, string $name): string
    {
        $bytes = file_get_contents($from);
        if ($bytes === false) {
            throw new LibraryException("$from cannot be read");
        }
        return self::write($bytes, $name);
    }

    private static function write(string $bytes, string $name): string
    {
        $folder = dirname(Native::bundled());
        $path = "$folder/$name";
        $new = "$path." . bin2hex(random_bytes(4));
        if (!is_dir($folder)) {
            @mkdir($folder);
        }
        if (@file_put_contents($new, $bytes) !== strlen($bytes) || !@rename($new, $path)) {
            throw new LibraryException("$path cannot be written: " . (error_get_last()['message'] ?? ''));
        }
        return $path;
    }

    private static function scratch(): string
    {
        $path = sys_get_temp_dir() . '/userengage-' . bin2hex(random_bytes(8));
        if (!mkdir($path, 0700)) {
            throw new LibraryException("$path cannot be made");
        }
        return $path;
    }

    private static function remove(string $folder): void
    {
        $files = new \RecursiveIteratorIterator(
            new \RecursiveDirectoryIterator($folder, \FilesystemIterator::SKIP_DOTS),
            \RecursiveIteratorIterator::CHILD_FIRST,
        );
        /** @var \SplFileInfo $file */
        foreach ($files as $file) {
            $file->isDir() && !$file->isLink() ? rmdir($file->getPathname()) : unlink($file->getPathname());
        }
        rmdir($folder);
    }
}
