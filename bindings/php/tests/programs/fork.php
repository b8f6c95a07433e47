<?php

// Sends before a fork, and then in parent and child at once with the same client. Usage: fork.php USER MESSAGES

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Options;

require __DIR__ . '/../../autoload.php';

[, $user, $messages] = $argv;
$client = new Client((string) getenv('UE_API_KEY'), new Options(
    baseUrl: (string) getenv('UE_BASE_URL'),
    apiVersion: 2,
));
$client->sendConversation($user, 'before');

$child = pcntl_fork();
$name = $child === 0 ? 'child' : 'parent';
$ids = [];
for ($i = 0; $i < (int) $messages; $i++) {
    $ids[] = $client->sendConversation($user, "$name $i")->conversationId;
}
file_put_contents('php://stdout', "$name " . implode(' ', $ids) . "\n");
if ($child !== 0) {
    pcntl_waitpid($child, $status);
    exit(pcntl_wexitstatus($status));
}
