<?php

// Forks while a batch is sent, in the place that argument 2 names. Parent and child then say what they know. Argument 1
// is the user.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Message;
use UserEngage\Options;

require __DIR__ . '/../../autoload.php';

[, $user, $place] = $argv;
$client = new Client((string) getenv('UE_API_KEY'), new Options(baseUrl: (string) getenv('UE_BASE_URL')));
$child = null;
$fork = static function (string $here) use ($place, &$child): void {
    if ($here === $place) {
        $child ??= pcntl_fork();
    }
};
$read = 0;
$messages = (static function () use ($user, $fork, &$read): Generator {
    while ($read < 40) {
        $read === 20 && $fork('iterable');
        yield new Message($user, (string) $read++);
    }
})();
$count = ['Delivered' => 0, 'Unknown' => 0];
$own = 0;
foreach ($client->sendConversations($messages, static fn () => $fork('onResult')) as $outcome) {
    $own += $child === 0 ? 0 : 1;
    $count[$outcome->delivery->name]++;
    $fork('loop');
}
if ($child === 0) {
    // It knows what was known before the fork. In onResult, that is told and not yielded.
    $own += $place === 'onResult' ? 1 : 0;
    $isCertain = $count === ['Delivered' => $own, 'Unknown' => $read - $own] && $read < 40;
    file_put_contents('php://stdout', $isCertain ? "child: certain\n" : 'child: ' . json_encode([$count, $own, $read]));
    exit(0);
}
pcntl_waitpid($child, $status);
file_put_contents('php://stdout', "parent: {$count['Delivered']} delivered\n");
exit(pcntl_wexitstatus($status));
