<?php

// Answers with the worker's id and the number of its descriptors, sends a message, and ends in a fatal error.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Options;

require_once __DIR__ . '/../../autoload.php';

echo getmypid(), ' ', count(scandir('/proc/self/fd') ?: []);
ob_end_flush();
flush();
$client = new Client((string) getenv('UE_API_KEY'), new Options(baseUrl: (string) getenv('UE_BASE_URL')));
$client->sendConversation('fatal', 'x');
ini_set('memory_limit', '4M');
str_repeat('x', 100_000_000);
