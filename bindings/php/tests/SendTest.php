<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Client;
use UserEngage\Delivery;
use UserEngage\Exception;
use UserEngage\Options;
use UserEngage\Source;

final class SendTest extends TestCase
{
    public function testTheSpecificationsMessageArrivesAsWritten(): void
    {
        $user = $this->user();
        $result = $this->client()->sendConversation(
            clientUserId: $user,
            content: self::CONTENT,
            user: 926,
            source: Source::Email,
            sourceContext: ['name' => 'This is source_context used in API', 'id' => 123],
        );

        $request = $this->onlyRequest($user);
        self::assertSame("/api/public/users/$user/conversations/", $request['path']);
        self::assertSame(
            '{"content":"Hi <b>user</b>, enjoy our product!","user":926,"source":2,'
            . '"source_context":{"name":"This is source_context used in API","id":123}}',
            $request['body'],
        );
        self::assertSame(201, $result->httpStatus);
        self::assertSame(1, $result->attempts);
        self::assertFalse($result->mayBeDuplicate);
        self::assertGreaterThan(0.0, $result->elapsed);
        self::assertMatchesRegularExpression('/^[0-9a-f]+-[A-Z]+$/', (string) $result->requestId);
        self::assertNull($result->conversationId);
    }

    public function testWhatIsNotGivenIsNotSent(): void
    {
        $user = $this->user();
        $this->client()->sendConversation($user, self::CONTENT);
        self::assertSame('{"content":"Hi <b>user</b>, enjoy our product!"}', $this->onlyRequest($user)['body']);
    }

    public function testAMessageHasNothingOfTheOneBefore(): void
    {
        $user = $this->user();
        $client = $this->client();
        $long = str_repeat('long ', 20_000);
        $client->sendConversation($user, $long, user: 926, source: Source::Email, sourceContext: ['id' => 123]);
        $client->sendConversation($user, 'x');
        self::assertThrows(
            Exception\InvalidArgumentException::class,
            static fn () => $client->sendConversation($user, '', sourceContext: ['id' => 123]),
        );
        $client->sendConversation($user, 'xyz', source: Source::Sms, sourceContext: []);
        self::assertSame([
            "{\"content\":\"$long\",\"user\":926,\"source\":2,\"source_context\":{\"id\":123}}",
            '{"content":"x"}',
            '{"content":"xyz","source":4,"source_context":[]}',
        ], array_column($this->sandbox()->requests($user), 'body'));
    }

    public function testALongMessageHasItsMemoryUntilTheNext(): void
    {
        $client = $this->client();
        $client->sendConversation($this->user(), 'x');
        $before = memory_get_usage();
        $client->sendConversation($this->user(), str_repeat('long ', 200_000));
        $client->sendConversation($this->user(), 'x');
        self::assertLessThan($before + 100_000, memory_get_usage());
    }

    public function testAnIntegerIsAClientUserId(): void
    {
        $id = random_int(1, 1_000_000);
        $this->client()->sendConversation($id, self::CONTENT);
        self::assertNotEmpty($this->sandbox()->requests($id));
    }

    public function testASourceMayBeANumber(): void
    {
        $user = $this->user();
        $this->client()->sendConversation($user, 'x', source: 3);
        self::assertSame('{"content":"x","source":3}', $this->onlyRequest($user)['body']);
    }

    public function testACallHasItsOwnTimeoutAndTheNextOneThatOfTheOptions(): void
    {
        [$hangs, $slow] = [$this->user(), $this->user()];
        $this->sandbox()->fault($hangs, 'hang');
        $this->sandbox()->fault($slow, 'delay', ms: 300);
        $client = $this->client();
        $exception = self::assertThrows(
            Exception\TimeoutException::class,
            static fn () => $client->sendConversation($hangs, 'x', timeout: 0.1),
        );
        self::assertLessThan(10.0, $exception->elapsed);
        self::assertSame(201, $client->sendConversation($slow, 'x')->httpStatus);
    }

    public function testACallMayLastLongerThanTheTimeoutOfTheOptions(): void
    {
        $slow = $this->user();
        $this->sandbox()->fault($slow, 'delay', ms: 300);
        self::assertSame(201, $this->client(timeout: 0.1)->sendConversation($slow, 'x', timeout: 30.0)->httpStatus);
    }

    public function testUnicodeArrivesAsWritten(): void
    {
        $user = $this->user() . '/ż ?#%';
        $this->client()->sendConversation($user, "Zażółć\n\"gęślą\" 😀", sourceContext: ['ż/😀' => 'a/b']);
        $request = $this->onlyRequest($user);
        self::assertSame(
            '{"content":"Zażółć\n\"gęślą\" 😀","source_context":{"ż/😀":"a/b"}}',
            $request['body'],
        );
        self::assertSame('/api/public/users/' . rawurlencode($user) . '/conversations/', $request['path']);
    }

    public function testVersion2GivesTheConversationsId(): void
    {
        $result = $this->client(apiVersion: 2)->sendConversation($this->user(), self::CONTENT);
        self::assertGreaterThan(0, $result->conversationId);
        self::assertStringContainsString((string) $result->conversationId, $result->body);
    }

    public function testAnUnknownUserIsNotFound(): void
    {
        $exception = self::assertThrows(
            Exception\NotFoundException::class,
            fn () => $this->client()->sendConversation('missing-' . $this->user(), self::CONTENT),
        );
        self::assertSame(404, $exception->httpStatus);
        self::assertSame(Delivery::NotDelivered, $exception->delivery);
        self::assertSame(1, $exception->attempts);
        self::assertSame('{"detail":"Not found."}', $exception->body);
    }

    public function testAWrongKeyIsUnauthorized(): void
    {
        $client = new Client('wrong', new Options(baseUrl: $this->sandbox()->baseUrl()));
        $exception = self::assertThrows(
            Exception\UnauthorizedException::class,
            fn () => $client->sendConversation($this->user(), self::CONTENT),
        );
        self::assertSame(401, $exception->httpStatus);
        self::assertSame('Invalid token.', $exception->detail);
    }

    public function testNobodyListeningIsNotDelivered(): void
    {
        $closed = stream_socket_server('tcp://127.0.0.1:0');
        $name = stream_socket_get_name($closed, false);
        fclose($closed);
        $exception = self::assertThrows(
            Exception\ConnectException::class,
            fn () => $this->client(baseUrl: "http://$name/", maxAttempts: 1)->sendConversation(1, self::CONTENT),
        );
        self::assertSame(Delivery::NotDelivered, $exception->delivery);
        self::assertNull($exception->httpStatus);
    }

    public function testAClosedClientSendsNothing(): void
    {
        $user = $this->user();
        $client = $this->client();
        $client->close();
        $client->close();
        self::assertThrows(Exception\ClosedException::class, fn () => $client->sendConversation($user, self::CONTENT));
        self::assertSame([], $this->sandbox()->requests($user));
    }
}
