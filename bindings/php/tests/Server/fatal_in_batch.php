<?php

// Answers with the worker's id and the number of its descriptors, sends a batch, and ends in a fatal error in onResult.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Message;
use UserEngage\Options;

require_once __DIR__ . '/../../autoload.php';

echo getmypid(), ' ', count(scandir('/proc/self/fd') ?: []);
ob_end_flush();
flush();
$client = new Client((string) getenv('UE_API_KEY'), new Options(baseUrl: (string) getenv('UE_BASE_URL')));
$messages = [];
for ($i = 0; $i < 20; $i++) {
    $messages[] = new Message("{$_GET['to']}-$i", 'x');
}
ini_set('memory_limit', '4M');
foreach ($client->sendConversations($messages, static fn () => str_repeat('x', 100_000_000)) as $outcome) {
    $client->sendConversation("{$_GET['to']}-last", 'no outcome comes');
}
