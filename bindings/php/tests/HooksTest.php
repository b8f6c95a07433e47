<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Exception;
use UserEngage\Options;

final class HooksTest extends TestCase
{
    public function testALoggerGetsALineForADelivery(): void
    {
        $logger = new Logger();
        $this->client(logger: $logger)->sendConversation($this->user(), self::CONTENT);
        self::assertCount(1, $logger->lines);
        self::assertMatchesRegularExpression('/^info delivered in \d+ us, attempts 1$/', $logger->lines[0]);
    }

    public function testALoggerGetsNoKeyAndNoContentAtAnyLevel(): void
    {
        $logger = new Logger();
        $this->client(logger: $logger, logLevel: 'debug')->sendConversation($this->user(), self::CONTENT);
        $lines = implode("\n", $logger->lines);
        self::assertStringContainsString('debug ', $lines);
        self::assertStringNotContainsString($this->sandbox()->apiKey(), $lines);
        self::assertStringNotContainsString('enjoy', $lines);
    }

    public function testALoggerOfErrorsGetsNoDelivery(): void
    {
        $logger = new Logger();
        $client = $this->client(logger: $logger, logLevel: 'error');
        $client->sendConversation($this->user(), self::CONTENT);
        self::assertSame([], $logger->lines);
        self::assertThrows(
            Exception\NotFoundException::class,
            fn () => $client->sendConversation('missing', self::CONTENT),
        );
        self::assertCount(1, $logger->lines);
    }

    public function testAnUnknownLogLevelIsRefused(): void
    {
        $exception = self::assertThrows(
            Exception\InvalidArgumentException::class,
            fn () => $this->client(logger: new Logger(), logLevel: 'verbose'),
        );
        self::assertStringStartsWith('logLevel is "verbose": give one of ', $exception->getMessage());
    }

    public function testALoggerThatThrowsHarmsNoDelivery(): void
    {
        $log = tempnam(sys_get_temp_dir(), 'ue');
        $before = ini_set('error_log', $log);
        try {
            $client = $this->client(logger: new Logger(static fn () => throw new \LogicException('disk full')));
            self::assertSame(201, $client->sendConversation($this->user(), self::CONTENT)->httpStatus);
            self::assertStringContainsString('UserEngage: the logger failed: disk full', file_get_contents($log));
        } finally {
            ini_set('error_log', $before);
            unlink($log);
        }
    }

    public function testALoggerMaySendWithTheSameClient(): void
    {
        $user = $this->user();
        $client = null;
        $logger = new Logger(function () use (&$client, &$logger, $user): void {
            if (count($logger->lines) === 1) {
                $client->sendConversation("$user-2", 'inner');
            }
        });
        $client = $this->client(logger: $logger);
        $client->sendConversation($user, 'outer');
        self::assertSame('{"content":"outer"}', $this->onlyRequest($user)['body']);
        self::assertSame('{"content":"inner"}', $this->onlyRequest("$user-2")['body']);
    }

    public function testEachClientHasItsOwnLogger(): void
    {
        [$one, $two] = [new Logger(), new Logger()];
        [$first, $second] = [$this->client(logger: $one), $this->client(logger: $two)];
        $first->sendConversation($this->user(), self::CONTENT);
        $second->sendConversation($this->user(), self::CONTENT);
        unset($first);
        $second->sendConversation($this->user(), self::CONTENT);
        self::assertCount(1, $one->lines);
        self::assertCount(2, $two->lines);
    }

    public function testAnInterruptCallbackThatSaysTrueCancels(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        $exception = self::assertThrows(
            Exception\CancelledException::class,
            fn () => $this->client(interrupt: static fn (): bool => true)->sendConversation($user, self::CONTENT),
        );
        self::assertLessThan(1.0, $exception->elapsed);
    }

    public function testWhatAnInterruptCallbackThrowsEndsTheCallAndIsThrownOn(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        $client = $this->client(interrupt: static fn () => throw new \DomainException('stop'));
        try {
            $client->sendConversation($user, self::CONTENT);
            self::fail('nothing was thrown');
        } catch (\DomainException $exception) {
            self::assertSame('stop', $exception->getMessage());
            self::assertInstanceOf(Exception\CancelledException::class, $exception->getPrevious());
        }
        self::assertSame(201, $client->sendConversation($this->user(), self::CONTENT)->httpStatus);
    }

    public function testAnInterruptCallbackThatSaysNothingLetsTheCallGoOn(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'delay', ms: 350);
        $asked = 0;
        $client = $this->client(interrupt: static function () use (&$asked): void {
            $asked++;
        });
        self::assertSame(201, $client->sendConversation($user, self::CONTENT)->httpStatus);
        self::assertGreaterThan(1, $asked);
    }

    public function testOptionsAreTheSameWithoutPsrLog(): void
    {
        $code = 'require "autoload.php"; echo get_debug_type((new UserEngage\Options())->logger);';
        $command = [PHP_BINARY, '-d', 'include_path=.', '-r', $code];
        self::assertSame('null', Process::run($command, dirname(__DIR__))->output);
    }
}
