<?php

// Sends one message: UE_API_KEY=... php send.php [client_user_id] [content]

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Exception\UserEngageException;
use UserEngage\Options;
use UserEngage\Source;

require __DIR__ . '/../autoload.php'; // in a Composer project: vendor/autoload.php

try {
    $client = new Client(options: new Options(baseUrl: getenv('UE_BASE_URL') ?: null)); // the key: UE_API_KEY
    $result = $client->sendConversation(
        clientUserId: $argv[1] ?? 42,
        content: $argv[2] ?? 'Hi <b>user</b>, enjoy our product!',
        user: 926,
        source: Source::Email,
        sourceContext: ['name' => 'This is source_context used in API', 'id' => 123],
    );
    echo "delivered: HTTP $result->httpStatus, request $result->requestId, ", round(1e3 * $result->elapsed, 1), " ms\n";
} catch (UserEngageException $exception) {
    fwrite(STDERR, $exception->getMessage() . "\n");
    exit(1);
}
