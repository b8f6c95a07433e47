<?php

// The first message of a request, over a connection of its own: ?with=package or ?with=curl. Answers with microseconds.

declare(strict_types=1);

use UserEngage\Client;
use UserEngage\Options;

$began = hrtime(true);
[$key, $url, $ca] = array_map(getenv(...), ['UE_API_KEY', 'UE_BASE_URL', 'UE_CA_FILE']);
if ($_GET['with'] === 'package') {
    require_once __DIR__ . '/../../autoload.php';
    $client = new Client($key, new Options(baseUrl: $url, caFile: $ca ?: null));
    $status = $client->sendConversation(42, 'Hi <b>user</b>, enjoy our product!')->httpStatus;
} else {
    $curl = curl_init($url . 'users/42/conversations/');
    curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 30, CURLOPT_HTTPHEADER => [
        "Authorization: Token $key",
        'Content-Type: application/json',
    ]]);
    if ($ca) {
        curl_setopt($curl, CURLOPT_CAINFO, $ca);
    }
    $body = ['content' => 'Hi <b>user</b>, enjoy our product!'];
    curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR));
    curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
}
echo $status === 201 ? (hrtime(true) - $began) / 1e3 : "HTTP $status";
