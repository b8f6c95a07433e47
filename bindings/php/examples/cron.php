<?php

// Sends many messages, one per line of CSV (client_user_id,content), and writes the lines that can be sent again to
// another file for the next run: UE_API_KEY=... php cron.php messages.csv left.csv
//
// All failures go to standard error. Those that are not for the next run are for a person: an unknown outcome (sending
// it again may show a customer the message twice), and a message that would fail again. SIGTERM, Ctrl-C and an outage
// end the run, and no line is lost.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Delivery;
use UserEngage\Message;
use UserEngage\Options;

require __DIR__ . '/../autoload.php'; // in a Composer project: vendor/autoload.php

if (count($argv) !== 3) {
    fwrite(STDERR, "usage: cron.php MESSAGES LEFT\n");
    exit(2);
}
$messages = fopen($argv[1], 'r') ?: exit(2);
$left = fopen($argv[2], 'w') ?: exit(2);

$stop = false;
pcntl_async_signals(true);
foreach ([SIGTERM, SIGINT] as $signal) {
    pcntl_signal($signal, static function () use (&$stop): void {
        $stop = true;
    });
}

$client = new Client(options: new Options(
    baseUrl: getenv('UE_BASE_URL') ?: null,
    maxPerSecond: 10,
    interrupt: static function () use (&$stop): bool {
        return $stop;
    },
));

// The file is read while sending, so it may have any size. The key of each message is its line.
$read = static function () use ($messages, &$stop): Generator {
    while (!$stop && ($line = fgetcsv($messages, escape: '')) !== false) {
        yield $line => new Message((string) $line[0], (string) ($line[1] ?? ''));
    }
};

$sent = $unknown = $refused = $kept = 0;
foreach ($client->sendConversations($read(), maxFailuresInARow: 10) as $line => $outcome) {
    if ($outcome->delivery === Delivery::Delivered) {
        $sent++;
        continue;
    }
    fwrite(STDERR, "$line[0]: {$outcome->getMessage()}\n");
    if ($outcome->isRetryable()) {
        fputcsv($left, $line, escape: '');
        $kept++;
    } elseif ($outcome->delivery === Delivery::Unknown) {
        $unknown++;
    } else {
        $refused++;
    }
}
while (($line = fgetcsv($messages, escape: '')) !== false) { // the lines after a stop or an outage
    fputcsv($left, $line, escape: '');
    $kept++;
}
echo "$sent delivered, $unknown unknown, $refused refused, $kept left\n";
exit($unknown + $refused + $kept === 0 ? 0 : 1);
