<?php

// Leaves a batch from its onResult callback, in the way that argument 2 names. Argument 1 is the prefix of its users.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Message;
use UserEngage\Options;

require __DIR__ . '/../../autoload.php';

ini_set('memory_limit', '32M');
$client = new Client((string) getenv('UE_API_KEY'), new Options(baseUrl: getenv('UE_BASE_URL') ?: null));
[, $user, $how] = $argv;

// The batch has ended or ends, and its client works.
register_shutdown_function(static function () use ($client, $user): void {
    for ($i = 0; $i < 100; $i++) {
        $client->sendConversation("$user-after", str_repeat('x', 1000));
    }
    echo 'shutdown';
});

$messages = (static function () use ($user): Generator {
    for ($i = 0; $i < 400; $i++) {
        yield new Message("$user-" . $i % 9, str_repeat('x', 1000));
    }
})();
$onResult = static function (int $index) use ($how): void {
    if ($index === 20) {
        match ($how) {
            'exit' => exit(3),
            'memory' => str_repeat('x', 100_000_000),
        };
    }
};
foreach ($client->sendConversations($messages, $onResult) as $number => $outcome) {
    if ($number === 20) {
        echo 'this outcome does not come';
    }
}
