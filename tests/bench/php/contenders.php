<?php

// The contenders in PHP: contenders.php NAME. Each but `ffi` makes its JSON anew for each message.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Internal\Native;
use UserEngage\Internal\NativeMessage;
use UserEngage\Options;

require __DIR__ . '/../../../bindings/php/autoload.php';

const CONTENT = 'Hi <b>user</b>, enjoy our product!';
const CONTEXT = ['name' => 'This is source_context used in API', 'id' => 123];

/** This project's package. */
function userengage(Client $client): Closure
{
    return static function () use ($client): void {
        $result = $client->sendConversation(42, CONTENT, user: 926, source: 2, sourceContext: CONTEXT);
        $result->httpStatus === 201 ?: throw new RuntimeException('not delivered');
    };
}

/** The bare call through FFI, with a message that is made once. */
function ffi(Client $client): Closure
{
    $ffi = Native::ffi();
    $handle = (fn () => $this->handle->begin())->call($client);
    $message = new NativeMessage();
    $message->set(42, CONTENT, 926, 2, CONTEXT);
    $pointer = $message->pointer;
    return static function () use ($ffi, $client, $handle, $pointer, $message): void {
        $ffi->ue_send_conversation($handle, $pointer, null) === 0 ?: throw new RuntimeException('not delivered');
    };
}

/** ext-curl, with a handle that is used again. */
function curl(string $key, string $base, ?string $ca): Closure
{
    $curl = curl_init($base . 'users/42/conversations/');
    curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 30, CURLOPT_HTTPHEADER => [
        "Authorization: Token $key",
        'Content-Type: application/json',
    ]]);
    $ca === null ?: curl_setopt($curl, CURLOPT_CAINFO, $ca);
    return static function () use ($curl): void {
        $body = ['content' => CONTENT, 'user' => 926, 'source' => 2, 'source_context' => CONTEXT];
        curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR));
        curl_exec($curl);
        curl_getinfo($curl, CURLINFO_RESPONSE_CODE) === 201 ?: throw new RuntimeException('not delivered');
    };
}

/** @return array{int, int} Microseconds of CPU that this process has used: user, system. */
function cpu(): array
{
    $usage = getrusage();
    return [
        $usage['ru_utime.tv_sec'] * 1_000_000 + $usage['ru_utime.tv_usec'],
        $usage['ru_stime.tv_sec'] * 1_000_000 + $usage['ru_stime.tv_usec'],
    ];
}

[$key, $base, $ca] = [getenv('UE_API_KEY'), getenv('UE_BASE_URL'), getenv('UE_CA_FILE') ?: null];
$client = new Client($key, new Options(baseUrl: $base, caFile: $ca));
$sendOne = match ($argv[1]) {
    'userengage' => userengage($client),
    'ffi' => ffi($client),
    'curl' => curl($key, $base, $ca),
};

// Reads a number of messages a line, sends as many, and answers with the microseconds that they took: user, system,
// wall. One more goes before them, uncounted, so that the connection is there.
while (($line = fgets(STDIN)) !== false) {
    $messages = (int) $line;
    $sendOne();
    [$began, $before] = [hrtime(true), cpu()];
    for ($i = 0; $i < $messages; $i++) {
        $sendOne();
    }
    [$wall, $after] = [hrtime(true) - $began, cpu()];
    printf("%d %d %d\n", $after[0] - $before[0], $after[1] - $before[1], intdiv($wall, 1000));
}
