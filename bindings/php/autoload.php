<?php

declare(strict_types=1);

// For programs without Composer: require this file. With Composer, vendor/autoload.php does the same.

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'UserEngage\\')) {
        $file = __DIR__ . '/src/' . strtr(substr($class, strlen('UserEngage\\')), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
