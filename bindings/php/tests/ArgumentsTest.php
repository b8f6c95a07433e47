<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Client;
use UserEngage\Delivery;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Options;
use UserEngage\Retry;

/** Common mistakes, and the errors for them. */
final class ArgumentsTest extends TestCase
{
    /**
     * @dataProvider messages
     * @param array<string, mixed> $arguments
     */
    public function testAMessageThatCannotBeSentIsRefused(array $arguments, string $text): void
    {
        $exception = self::assertThrows(
            InvalidArgumentException::class,
            fn () => $this->client()->sendConversation(...$arguments + ['clientUserId' => 1, 'content' => 'x']),
        );
        self::assertStringContainsString($text, $exception->getMessage());
        self::assertSame(Delivery::NotDelivered, $exception->delivery);
        self::assertSame(Retry::Never, $exception->retry);
        self::assertSame(1, $exception->getCode());
        self::assertSame(0, $exception->attempts);
    }

    /** @return array<string, array{array<string, mixed>, string}> */
    public static function messages(): array
    {
        return [
            'no user' => [['clientUserId' => ''], 'client_user_id is empty: give'],
            'a user that is another place' => [['clientUserId' => '..'], 'client_user_id is ".."'],
            'a user with a line end' => [['clientUserId' => "42\n"], 'client_user_id has a control character at'],
            'a user with a NUL' => [['clientUserId' => "4\0002"], 'client_user_id has a control character at byte 1'],
            'no content' => [['content' => ''], 'content is empty: give'],
            'content with a NUL' => [['content' => "Hi\0there"], 'content has a NUL at byte 2'],
            'content in Latin-1' => [['content' => "caf\xe9"], 'content is not UTF-8 from byte 3 on: convert it'],
            'agent 0' => [['user' => 0], 'user is 0: give the positive id'],
            'agent -1' => [['user' => -1], 'user is -1: give the positive id'],
            'source 0' => [['source' => 0], 'source is 0: give 1 chat'],
            'source -1' => [['source' => -1], 'source is -1: give 1 chat'],
            'no time' => [['timeout' => 0.0], 'timeout is 0: give seconds'],
            'negative time' => [['timeout' => -1.0], 'timeout is -1: give seconds'],
            'time without end' => [['timeout' => INF], 'timeout is INF: give seconds'],
            'a source wider than 32 bits' => [['source' => 0x100000002], 'source is 4294967298: give 1 chat'],
        ];
    }

    public function testAUserThatPhpWouldConvertIsRefused(): void
    {
        $client = $this->client();
        $users = ['float 42.5' => 42.5, 'float 42.0' => 42.0, 'float NAN' => NAN, 'bool true' => true];
        foreach ($users as $given => $user) {
            foreach (require __DIR__ . '/programs/lax.php' as $call) {
                $exception = self::assertThrows(InvalidArgumentException::class, static fn () => $call($client, $user));
                self::assertSame(
                    "client_user_id is the $given: give an int or a string",
                    $exception->getMessage(),
                );
                self::assertSame(Retry::Never, $exception->retry);
            }
        }
        self::assertSame([], $this->sandbox()->requests('42'));
    }

    /**
     * @dataProvider options
     * @param array<string, mixed> $options
     */
    public function testAnOptionThatCannotBeUsedIsRefused(array $options, string $text): void
    {
        $exception = self::assertThrows(InvalidArgumentException::class, fn () => $this->client(...$options));
        self::assertStringContainsString($text, $exception->getMessage());
    }

    /** @return array<string, array{array<string, mixed>, string}> */
    public static function options(): array
    {
        return [
            'no URL' => [['baseUrl' => ''], 'base_url'],
            'plain http to another host' => [['baseUrl' => 'http://example.com/'], 'https'],
            'a URL with a NUL' => [['baseUrl' => "https://a\0b/"], 'base_url has a NUL character at byte 9'],
            'an unknown API version' => [['apiVersion' => 1], 'api_version is 1: give UE_API_VERSION_'],
            'no attempts' => [['maxAttempts' => 0], 'max_attempts is 0: give 1 or more'],
            'fewer than no attempts' => [['maxAttempts' => -1], 'max_attempts is -1: give 1 or more'],
            'more attempts than fit' => [['maxAttempts' => 0x100000001], 'max_attempts is 4294967297: give'],
            'no time' => [['timeout' => 0.0], 'timeout is 0: give seconds'],
            'negative time' => [['connectTimeout' => -1.0], 'connect_timeout is -1: give seconds'],
            'time without end' => [['timeout' => INF], 'timeout is INF: give seconds'],
            'time that is not a number' => [['timeout' => NAN], 'timeout is NAN: give seconds'],
            'no connections' => [['maxConnections' => 0], 'max_connections is 0: give 1 or more'],
            'too many connections' => [['maxConnections' => 257], 'max_connections is 257: give at most 256'],
            'no requests a second' => [['maxPerSecond' => 0], 'max_per_second is 0: give 1 or more'],
            'an unsupported proxy' => [['proxy' => 'socks5://localhost'], 'proxy'],
            'a CA file that is not there' => [['caFile' => '/nowhere.pem'], 'ca_file'],
            'a User-Agent with a line end' => [['userAgent' => "shop\r\nX: y"], 'user_agent'],
        ];
    }

    public function testAKeyThatIsLeftOutIsReadFromTheEnvironment(): void
    {
        $client = new Client(options: new Options(baseUrl: $this->sandbox()->baseUrl()));
        self::assertSame(201, $client->sendConversation($this->user(), 'x')->httpStatus);
        putenv('UE_API_KEY');
        $exception = self::assertThrows(InvalidArgumentException::class, static fn () => new Client());
        self::assertSame(
            'api_key is missing: give it, or set the environment variable UE_API_KEY',
            $exception->getMessage(),
        );
    }

    public function testAnEmptyKeyIsRefused(): void
    {
        $exception = self::assertThrows(InvalidArgumentException::class, static fn () => new Client(''));
        self::assertStringStartsWith('api_key is empty: give', $exception->getMessage());
    }

    public function testAKeyReadFromAFileWithItsLineEndIsRefused(): void
    {
        $exception = self::assertThrows(InvalidArgumentException::class, static fn () => new Client("secret\n"));
        self::assertStringContainsString('api_key', $exception->getMessage());
        self::assertStringNotContainsString('secret', (string) $exception);
    }

    public function testALessThanAMillisecondIsNotTakenForTheDefault(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        $exception = self::assertThrows(
            \UserEngage\Exception\TimeoutException::class,
            fn () => $this->client(timeout: 0.0001)->sendConversation($user, 'x'),
        );
        self::assertLessThan(10.0, $exception->elapsed);
    }

    public function testOptionsCanBeLeftOut(): void
    {
        self::assertInstanceOf(Client::class, new Client('key'));
        self::assertInstanceOf(Client::class, new Client(apiKey: 'key', options: new Options()));
    }
}
