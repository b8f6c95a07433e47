<?php

// CPU per message of the package, of the library alone, and of ext-curl with a reused handle, beside one another.
// Usage: UE_SANDBOX=... php overhead.php [messages a round] [rounds]

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Internal\Native;
use UserEngage\Internal\NativeMessage;
use UserEngage\Options;
use UserEngage\Tests\Sandbox;

require __DIR__ . '/../autoload.php';
require __DIR__ . '/../tests/Sandbox.php';

const CONTENT = 'Hi <b>user</b>, enjoy our product!';
const CONTEXT = ['name' => 'This is source_context used in API', 'id' => 123];

/** @return array<string, Closure(): void> Each sends one message. */
function contestants(Sandbox $sandbox): array
{
    $client = new Client($sandbox->apiKey(), new Options(baseUrl: $sandbox->baseUrl()));

    $ffi = Native::ffi();
    $handle = (fn () => $this->handle->begin())->call($client);
    $message = new NativeMessage(42, CONTENT, 926, 2, CONTEXT);
    $pointer = $message->pointer();

    $curl = curl_init($sandbox->baseUrl() . 'users/42/conversations/');
    curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 30, CURLOPT_HTTPHEADER => [
        "Authorization: Token {$sandbox->apiKey()}",
        'Content-Type: application/json',
    ]]);

    return [
        'library alone' => static function () use ($ffi, $handle, $pointer, $message): void {
            $ffi->ue_send_conversation($handle, $pointer, null) === 0 ?: throw new RuntimeException('not delivered');
        },
        'package' => static function () use ($client): void {
            $client->sendConversation(42, CONTENT, user: 926, source: 2, sourceContext: CONTEXT);
        },
        'ext-curl' => static function () use ($curl): void {
            $body = ['content' => CONTENT, 'user' => 926, 'source' => 2, 'source_context' => CONTEXT];
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR));
            curl_exec($curl);
            curl_getinfo($curl, CURLINFO_RESPONSE_CODE) === 201 ?: throw new RuntimeException('not delivered');
        },
    ];
}

/** Microseconds of CPU that this process has used. */
function cpu(): int
{
    $usage = getrusage();
    return ($usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec']) * 1_000_000
        + $usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec'];
}

[$messages, $rounds] = [(int) ($argv[1] ?? 1000), (int) ($argv[2] ?? 21)];
$sandbox = new Sandbox();
$contestants = contestants($sandbox);
$cpu = $wall = [];
for ($round = -1; $round < $rounds; $round++) {
    foreach ($contestants as $name => $send) {
        [$began, $used] = [hrtime(true), cpu()];
        for ($i = 0; $i < $messages; $i++) {
            $send();
        }
        if ($round >= 0) { // the first warms up
            $cpu[$name][] = (cpu() - $used) / $messages;
            $wall[$name][] = (hrtime(true) - $began) / 1e3 / $messages;
        }
    }
}
printf("%d rounds of %d messages each, least of the rounds, us a message\n", $rounds, $messages);
foreach ($contestants as $name => $_) {
    printf("%-14s CPU %6.1f   wall %6.1f\n", $name, min($cpu[$name]), min($wall[$name]));
}
printf("the package adds %.1f us of CPU\n", min($cpu['package']) - min($cpu['library alone']));
