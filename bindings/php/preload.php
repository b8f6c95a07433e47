<?php

// For php.ini or php-fpm's pool: opcache.preload = <here>/preload.php
//
// Makes the package usable with ffi.enable=preload, PHP's default outside the command line. Loads the library and its
// header before the first request. See "Under a web server" in README.md.

declare(strict_types=1);

require_once __DIR__ . '/autoload.php';

(static function (): void {
    $sources = new RecursiveIteratorIterator(new RecursiveDirectoryIterator(__DIR__ . '/src'));
    foreach (new RegexIterator($sources, '/\.php$/') as $file) {
        require_once (string) $file;
    }
    UserEngage\Internal\Native::preload();
})();
