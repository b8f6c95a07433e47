<?php

// The page of the tests' web servers: sends one message, and answers with the worker's id and the outcome.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Options;

require_once __DIR__ . '/../../autoload.php';

try {
    $client = new Client((string) getenv('UE_API_KEY'), new Options(baseUrl: (string) getenv('UE_BASE_URL')));
    $result = $client->sendConversation($_GET['to'], "message {$_GET['n']}");
    echo getmypid(), ' ', $result->httpStatus;
} catch (UserEngage\Exception\UserEngageException $exception) {
    echo getmypid(), ' ', $exception->getMessage();
}
