<?php

// Calls that give any value as clientUserId. Without strict_types, PHP converts it to fit the parameter's type.

use UserEngage\Client;
use UserEngage\Message;

return [
    'sendConversation' => static fn (Client $client, mixed $user) => $client->sendConversation($user, 'x'),
    'sendConversations' => static function (Client $client, mixed $user): void {
        foreach ($client->sendConversations([new Message($user, 'x')]) as $outcome) {
            throw $outcome;
        }
    },
];
