<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Client;
use UserEngage\Exception\UserEngageException;
use UserEngage\Message;
use UserEngage\Options;

/** The API key, the content and a proxy's password are redacted everywhere. */
final class SecretsTest extends TestCase
{
    private const KEY = 'the-key-that-nobody-may-see';

    public function testTheKeyIsNotInADumpOfAClient(): void
    {
        $client = new Client(self::KEY);
        $shown = print_r($client, true) . var_export($client, true) . json_encode($client);
        ob_start();
        var_dump($client);
        $shown .= ob_get_clean();
        self::assertStringNotContainsString(self::KEY, $shown);
    }

    /** @requires PHP >= 8.2 */
    public function testNeitherKeyNorContentIsInATraceWithArguments(): void
    {
        $before = ini_set('zend.exception_ignore_args', '0');
        try {
            $wrong = self::assertThrows(UserEngageException::class, static fn () => new Client(self::KEY . "\n"));
            $client = new Client(self::KEY, new Options(baseUrl: $this->sandbox()->baseUrl()));
            $refused = self::assertThrows(
                UserEngageException::class,
                static fn () => $client->sendConversation('x', 'secret content', sourceContext: ['c' => "secret\xff"]),
            );
            $unauthorized = self::assertThrows(
                UserEngageException::class,
                static fn () => $client->sendConversation('x', 'secret content', sourceContext: ['c' => 'secret']),
            );
            $messages = [
                new Message('missing', 'secret content', timeout: 5.0),
                new Message('x', 'secret content', sourceContext: ['c' => "secret\xff"]),
            ];
            $outcomes = iterator_to_array($client->sendConversations($messages));
        } finally {
            ini_set('zend.exception_ignore_args', $before);
        }
        foreach ([$wrong, $refused, $unauthorized, ...$outcomes] as $exception) {
            $shown = $exception . print_r($exception->getTrace()[0], true) . print_r($exception->getTrace()[1], true);
            self::assertStringNotContainsString(self::KEY, $shown);
            self::assertStringNotContainsString('secret', $shown);
        }
    }

    public function testAProxysPasswordIsNotInADumpOfTheOptions(): void
    {
        foreach (['http://me:pa@ss@proxy:3128', 'me:pa@ss@proxy:3128'] as $proxy) {
            $shown = print_r(new Options(proxy: $proxy, timeout: 1.5), true);
            self::assertStringNotContainsString('pa@ss', $shown);
            self::assertStringNotContainsString('ss@', $shown);
            self::assertStringContainsString('proxy:3128', $shown);
            self::assertStringContainsString('1.5', $shown);
        }
    }

    public function testTheContentIsNotInADumpOfAMessage(): void
    {
        $context = ['c' => 'secret'];
        $message = new Message('x', 'secret content', user: 926, sourceContext: $context, reference: 'secret row');
        ob_start();
        var_dump($message);
        $shown = ob_get_clean() . print_r($message, true);
        self::assertStringNotContainsString('secret', $shown);
        self::assertStringContainsString('926', $shown);
    }

    public function testTheContentIsNotInADumpOfAClientThatSentIt(): void
    {
        $client = $this->client();
        $client->sendConversation($this->user(), '~~~');
        // FFI's memory is shown byte by byte. An array has what __debugInfo() hides.
        self::assertStringNotContainsString('~', print_r($client, true) . print_r((array) $client, true));
    }

    public function testAClientIsNeitherClonedNorSerialized(): void
    {
        $client = new Client(self::KEY);
        foreach ([static fn () => clone $client, static fn () => serialize($client)] as $copy) {
            try {
                $copy();
                self::fail('a copy was made');
            } catch (\Error | \LogicException $exception) {
                self::assertStringNotContainsString(self::KEY, (string) $exception);
            }
        }
    }
}
