<?php

// Forks in the onResult callback of a batch. Parent and child then say what they know. Argument 1 is the user, argument
// 2 what becomes of the first message.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Delivery;
use UserEngage\Message;
use UserEngage\Options;

require __DIR__ . '/../../autoload.php';

[, $user, $first] = $argv;
$client = new Client((string) getenv('UE_API_KEY'), new Options(baseUrl: (string) getenv('UE_BASE_URL')));
$child = null;
$messages = array_map(static fn (int $i) => new Message($user, (string) $i), range(1, 20));
if ($first === 'refused') {
    $messages[0] = new Message($user, '');
}
$onResult = static function () use (&$child): void {
    $child ??= pcntl_fork();
};
$count = [];
foreach ($client->sendConversations($messages, $onResult, step: 10) as $outcome) {
    $count[$outcome->delivery->name] = ($count[$outcome->delivery->name] ?? 0) + 1;
}
if ($child === 0) {
    file_put_contents('php://stdout', "child: {$count['Unknown']} unknown\n");
    exit(array_sum($count) === 10 ? 0 : 1);
}
pcntl_waitpid($child, $status);
file_put_contents('php://stdout', 'parent: ' . $count[Delivery::Delivered->name] . " delivered\n");
exit(pcntl_wexitstatus($status));
