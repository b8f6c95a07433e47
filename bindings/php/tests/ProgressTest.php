<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Delivery;
use UserEngage\Exception\CancelledException;
use UserEngage\Message;

/** sendConversations() and the code that it calls: progress, interrupt, logger, signal handlers, fibers. */
final class ProgressTest extends TestCase
{
    public function testProgressIsToldAfterEachMessageOverAllSteps(): void
    {
        $told = [];
        $progress = static function (int $done, ?int $count) use (&$told): void {
            $told[] = "$done of " . ($count ?? 'many');
        };
        $messages = $this->numbered(4);
        $messages[1] = new Message(1, 'refused', source: -1);
        $this->catch($this->client()->sendConversations($messages, $progress, step: 3));
        $this->catch($this->client()->sendConversations((fn () => yield from $messages)(), $progress, step: 3));
        self::assertSame(
            ['1 of 4', '2 of 4', '3 of 4', '4 of 4', '1 of many', '2 of many', '3 of many', '4 of many'],
            $told,
        );
    }

    public function testProgressThatSaysTrueStopsTheRestOfTheStepAndAllThatFollows(): void
    {
        $user = $this->user();
        $outcomes = $this->client()->sendConversations(
            [...$this->numbered(9, $user), $this->unanswered(), ...$this->numbered(10, $user)],
            static fn (int $done): bool => $done === 7,
            step: 10,
        );
        [$outcomes, $thrown] = $this->catch($outcomes);
        self::assertNull($thrown);
        $this->assertCertain($outcomes, 10, $user);
        self::assertSame(Delivery::Delivered, $outcomes[6]->delivery);
        self::assertInstanceOf(CancelledException::class, $outcomes[9]);
    }

    public function testProgressThatSaysTrueAtTheEndOfAStepStopsWhatFollows(): void
    {
        $user = $this->user();
        $outcomes = $this->client()->sendConversations(
            $this->numbered(20, $user),
            static fn (int $done): bool => $done === 10,
            step: 10,
        );
        self::assertCount(10, $this->catch($outcomes)[0]);
        self::assertCount(10, $this->sandbox()->requests($user));
    }

    public function testNothingButTrueStops(): void
    {
        foreach ([null, 1, '1', false, 0, -1] as $value) {
            $outcomes = $this->client()->sendConversations($this->numbered(3), static fn () => $value);
            self::assertCount(3, $this->catch($outcomes)[0]);
        }
    }

    public function testWhatProgressThrowsStopsAndIsThrownAfterTheOutcomes(): void
    {
        $user = $this->user();
        $calls = 0;
        $progress = static function () use (&$calls): void {
            ++$calls === 2 && throw new \DomainException('stop');
        };
        $client = $this->client();
        [$outcomes, $thrown] = $this->catch($client->sendConversations($this->numbered(30, $user), $progress, 20));
        self::assertSame(2, $calls);
        self::assertInstanceOf(\DomainException::class, $thrown);
        self::assertNull($thrown->getPrevious());
        $this->assertCertain($outcomes, 20, $user);
        self::assertSame(201, $client->sendConversation($this->user(), self::CONTENT)->httpStatus);
    }

    public function testWhatProgressThrowsIsNotLostWhereTheIterationIsLeft(): void
    {
        $outcomes = $this->client()->sendConversations(
            $this->numbered(5),
            static fn () => throw new \DomainException('stop'),
        );
        $this->expectException(\DomainException::class);
        foreach ($outcomes as $_) {
            break;
        }
        unset($outcomes);
    }

    public function testAnInterruptCallbackEndsABatchThatWaits(): void
    {
        $stop = new \DomainException('stop');
        foreach ([[static fn () => true, null], [static fn () => throw $stop, $stop]] as [$interrupt, $expected]) {
            $user = $this->user();
            $this->sandbox()->fault($user, 'hang');
            $client = $this->client(interrupt: $interrupt);
            [$outcomes, $thrown] = $this->catch($client->sendConversations($this->numbered(6, $user), step: 3));
            self::assertSame(
                [Delivery::Unknown, Delivery::NotDelivered, Delivery::NotDelivered],
                array_column($outcomes, 'delivery'),
            );
            self::assertContainsOnlyInstancesOf(CancelledException::class, $outcomes);
            self::assertSame($expected, $thrown);
        }
    }

    public function testASignalsHandlerRunsBetweenMessagesAndWhatItThrowsIsThrownOn(): void
    {
        $async = pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, static fn () => throw new \DomainException('signal'));
        try {
            $user = $this->user();
            $outcomes = $this->client()->sendConversations(
                [...$this->numbered(19, $user), $this->unanswered()],
                static fn (int $done) => $done === 2 && posix_kill(posix_getpid(), SIGUSR1) && false,
            );
            [$outcomes, $thrown] = $this->catch($outcomes);
        } finally {
            pcntl_signal(SIGUSR1, SIG_DFL);
            pcntl_async_signals($async);
        }
        self::assertSame('signal', $thrown?->getMessage());
        $this->assertCertain($outcomes, 20, $user);
        self::assertInstanceOf(CancelledException::class, $outcomes[19]);
    }

    public function testABatchMayBeSentInASignalsHandler(): void
    {
        $async = pcntl_async_signals(true);
        $outcomes = $told = null;
        pcntl_signal(SIGUSR1, function () use (&$outcomes, &$told): void {
            $progress = static function (int $done) use (&$told): void {
                $told = $done;
            };
            [$outcomes] = $this->catch($this->client()->sendConversations($this->numbered(3), $progress));
        });
        posix_kill(posix_getpid(), SIGUSR1);
        pcntl_signal_dispatch();
        pcntl_signal(SIGUSR1, SIG_DFL);
        pcntl_async_signals($async);
        self::assertSame(array_fill(0, 3, Delivery::Delivered), array_column($outcomes, 'delivery'));
        self::assertSame(3, $told);
    }

    public function testProgressAndLoggerMaySendWithTheSameClient(): void
    {
        [$outer, $inner] = [$this->user(), $this->user()];
        $client = null;
        $logger = new Logger(function () use (&$client, &$logger, $inner): void {
            count($logger->lines) === 1 && $client->sendConversation($inner, 'of the logger');
        });
        $client = $this->client(logger: $logger);
        $progress = function (int $done) use (&$client, $inner): void {
            $done === 2 && $this->catch($client->sendConversations([new Message($inner, 'of progress')]));
        };
        [$outcomes] = $this->catch($client->sendConversations($this->numbered(5, $outer), $progress));
        $this->assertCertain($outcomes, 5, $outer);
        self::assertCount(2, $this->sandbox()->requests($inner));
        self::assertCount(7, $logger->lines);
    }

    public function testALoggerThatThrowsHarmsNoBatch(): void
    {
        $before = ini_set('error_log', '/dev/null');
        $client = $this->client(logger: new Logger(static fn () => throw new \LogicException('disk full')));
        [$outcomes, $thrown] = $this->catch($client->sendConversations($this->numbered(5)));
        ini_set('error_log', (string) $before);
        self::assertNull($thrown);
        self::assertSame(array_fill(0, 5, Delivery::Delivered), array_column($outcomes, 'delivery'));
    }

    public function testALoggerThatSendsTakesNoOtherCallsException(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        $client = null;
        $logger = new Logger(function () use (&$client, &$logger): void {
            count($logger->lines) === 1 && $client->sendConversation($this->user(), 'x');
        });
        $stop = static fn () => throw new \DomainException('stop');
        $client = $this->client(logger: $logger, logLevel: 'error', interrupt: $stop);
        $this->expectExceptionMessage('stop');
        $client->sendConversation($user, self::CONTENT);
    }

    public function testProgressMaySuspendAFiberWhileOthersSend(): void
    {
        $user = $this->user();
        $client = $this->client();
        $fiber = new \Fiber(function () use ($client, $user): array {
            $progress = static fn (int $done) => \Fiber::suspend($done);
            return $this->catch($client->sendConversations($this->numbered(5, $user), $progress))[0];
        });
        $told = [$fiber->start()];
        while (!$fiber->isTerminated()) {
            self::assertSame(201, $client->sendConversation($this->user(), 'x')->httpStatus);
            $told[] = $fiber->resume();
        }
        self::assertSame([1, 2, 3, 4, 5, null], $told);
        $this->assertCertain($fiber->getReturn(), 5, $user);
    }

    /** @dataProvider ways */
    public function testProgressMayLeaveTheProgram(string $how, int $status, string $errors): void
    {
        $user = $this->user();
        $process = Process::run([PHP_BINARY, __DIR__ . '/programs/leave.php', $user, $how]);
        self::assertSame([$status, 'shutdown'], [$process->status, $process->output]);
        self::assertMatchesRegularExpression($errors, $process->errors);
        self::assertSame([], $this->sandbox()->requests("$user-399"));
    }

    /** @return array<string, array{string, int, string}> */
    public static function ways(): array
    {
        return [
            'by exit()' => ['exit', 3, '/^$/'],
            'by a fatal error' => ['memory', 255, '/^PHP Fatal error:  Allowed memory size .*\n$/'],
        ];
    }

    /** A message without an answer: the batch waits until it is stopped. */
    private function unanswered(): Message
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        return new Message($user, self::CONTENT);
    }

    /**
     * Checks that each message has an outcome, and that the delivered ones arrived.
     *
     * @param list<\UserEngage\Result|\UserEngage\Exception\UserEngageException> $outcomes
     */
    private function assertCertain(array $outcomes, int $count, string $user): void
    {
        self::assertCount($count, $outcomes);
        $arrived = array_map(
            static fn (array $request): int => (int) json_decode($request['body'])->content,
            $this->sandbox()->requests($user),
        );
        foreach ($outcomes as $number => $outcome) {
            match ($outcome->delivery) {
                Delivery::Delivered => self::assertContains($number, $arrived),
                Delivery::NotDelivered => self::assertNotContains($number, $arrived),
                Delivery::Unknown => self::assertInstanceOf(CancelledException::class, $outcome),
            };
        }
    }
}
