<?php

// What the first message of a fresh request costs under a real php-fpm behind nginx, with and without preload, beside
// ext-curl in the same run. Usage: UE_SANDBOX=... php first.php [requests]

declare(strict_types=1);

use UserEngage\Internal\Native;
use UserEngage\Tests\Sandbox;
use UserEngage\Tests\Server\Fpm;

require __DIR__ . '/../autoload.php';
require __DIR__ . '/../tests/Sandbox.php';
require __DIR__ . '/../tests/Server/Server.php';
require __DIR__ . '/../tests/Server/Fpm.php';

$requests = (int) ($argv[1] ?? 400);
$sandbox = new Sandbox('--tls');
$header = tempnam(sys_get_temp_dir(), 'userengage');
file_put_contents($header, Native::headerFor(Native::library()));
chmod($header, 0644);
chmod($sandbox->caFile(), 0644);
$preload = [
    'ffi.enable' => 'preload',
    'opcache.preload' => dirname(__DIR__) . '/preload.php',
    'opcache.preload_user' => 'www-data',
];

printf("the first message of a request, median of %d, us\n", $requests);
foreach (['http' => $sandbox->baseUrl(), 'https' => $sandbox->tlsBaseUrl()] as $scheme => $url) {
    putenv("UE_API_KEY={$sandbox->apiKey()}");
    putenv("UE_BASE_URL=$url");
    putenv('UE_CA_FILE=' . ($scheme === 'https' ? $sandbox->caFile() : ''));
    $servers = [
        'package, no preload' => ['package', Fpm::with(['ffi.enable' => 'true'], documents: __DIR__ . '/pages')],
        'package, preload' => ['package', Fpm::with($preload, documents: __DIR__ . '/pages')],
        'package, preload and ffi.preload' => [
            'package',
            Fpm::with($preload + ['ffi.preload' => $header], documents: __DIR__ . '/pages'),
        ],
        'ext-curl' => ['curl', Fpm::with([], documents: __DIR__ . '/pages')],
    ];
    $times = [];
    for ($i = -20; $i < $requests; $i++) {
        foreach ($servers as $name => [$with, $server]) {
            $answer = $server->page("/first.php?with=$with");
            is_numeric($answer) || throw new RuntimeException("$name: $answer");
            if ($i >= 0) { // the first ones warm up
                $times[$name][] = (float) $answer;
            }
        }
    }
    foreach ($times as $name => $values) {
        sort($values);
        printf("%-6s %-33s %7.0f\n", $scheme, $name, $values[intdiv($requests, 2)]);
    }
}
unlink($header);
