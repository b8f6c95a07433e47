<?php

// Calls exit() inside a callback of the library. PHP turns that into a fatal error.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Options;

require_once __DIR__ . '/../../autoload.php';

$client = new Client((string) getenv('UE_API_KEY'), new Options(
    baseUrl: (string) getenv('UE_BASE_URL'),
    interrupt: static fn () => exit(),
));
$client->sendConversation('never-answers', 'x');
echo 'returned';
