<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\BatchFlow;
use UserEngage\Delivery;
use UserEngage\Exception\CancelledException;
use UserEngage\Exception\ClosedException;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Message;
use UserEngage\Result;
use UserEngage\Retry;

/** sendConversations() and the code that it calls: onResult, interrupt, logger, signal handlers, fibers. */
final class OnResultTest extends TestCase
{
    public function testEachOutcomeIsToldOnceAndIsTheOneThatIsYielded(): void
    {
        $told = [];
        $onResult = static function (int $index, Result|UserEngageException $outcome) use (&$told): void {
            self::assertArrayNotHasKey($index, $told);
            $told[$index] = $outcome;
        };
        $messages = $this->numbered(4);
        $messages[1] = new Message(1, 'refused', source: -1);
        [$outcomes, $thrown] = $this->catch($this->client()->sendConversations($messages, $onResult));
        self::assertNull($thrown);
        ksort($told);
        self::assertSame($outcomes, $told);
        self::assertInstanceOf(InvalidArgumentException::class, $told[1]);
    }

    public function testAnOutcomeIsToldWhileAnotherMessageHangs(): void
    {
        $user = $this->user();
        $hangs = $this->unanswered();
        $told = [];
        $onResult = static function (int $index, object $outcome) use (&$told): ?BatchFlow {
            $told[] = [$index, $outcome->delivery];
            return count($told) === 3 ? BatchFlow::Abort : null;
        };
        [$outcomes] = $this->catch(
            $this->client()->sendConversations([$hangs, ...$this->numbered(3, $user)], $onResult),
        );
        self::assertSame([1, 2, 3, 0], array_column($told, 0));
        self::assertSame(Delivery::Unknown, $told[3][1]);
        self::assertInstanceOf(CancelledException::class, $outcomes[0]);
        self::assertCount(3, $this->sandbox()->requests($user));
    }

    public function testAnOutcomeThatIsToldHasTheReferenceOfItsMessage(): void
    {
        $row = new \stdClass();
        $messages = [
            new Message($this->user(), 'x', reference: $row),
            new Message('missing', 'x', reference: ['row' => 2]),
            new Message(1, '', reference: 'refused by the library'),
            new Message(1, 'x', user: 0, reference: 'refused by the package'),
            new Message($this->user(), 'x'),
        ];
        $told = [];
        $onResult = static function (int $index, object $outcome) use (&$told): void {
            $told[$index] = $outcome->reference;
        };
        [$outcomes] = $this->catch($this->client()->sendConversations($messages, $onResult));
        $references = [$row, ['row' => 2], 'refused by the library', 'refused by the package', null];
        ksort($told);
        self::assertSame($references, $told);
        self::assertSame($references, array_column($outcomes, 'reference'));
    }

    public function testFinishEndsNoMessageInFlightAndBeginsNoMore(): void
    {
        [$user, $slow] = [$this->user(), $this->user()];
        $this->sandbox()->fault($user, 'delay', ms: 50, times: 20);
        $this->sandbox()->fault($slow, 'delay', ms: 500);
        $outcomes = $this->client()->sendConversations(
            [new Message($slow, 'x'), ...$this->numbered(20, $user)],
            static fn (int $index) => $index === 3 ? BatchFlow::Finish : null,
        );
        [$outcomes, $thrown] = $this->catch($outcomes);
        self::assertNull($thrown);
        self::assertSame(Delivery::Delivered, $outcomes[0]->delivery);
        $last = end($outcomes);
        self::assertInstanceOf(CancelledException::class, $last);
        self::assertSame(Retry::Later, $last->retry);
        self::assertNotContains(Delivery::Unknown, array_column($outcomes, 'delivery'));
        $this->assertCertain(array_slice($outcomes, 1), count($outcomes) - 1, $user);
    }

    public function testAbortEndsTheMessagesInFlightAndAllThatFollow(): void
    {
        $user = $this->user();
        $outcomes = $this->client()->sendConversations(
            array_replace($this->numbered(20, $user), [9 => $this->unanswered()]),
            static fn (int $index) => $index === 6 ? BatchFlow::Abort : null,
        );
        [$outcomes, $thrown] = $this->catch($outcomes);
        self::assertNull($thrown);
        $this->assertCertain($outcomes, count($outcomes), $user);
        self::assertSame(Delivery::Delivered, $outcomes[6]->delivery);
        self::assertInstanceOf(CancelledException::class, $outcomes[9]);
    }

    public function testFinishAndAbortReadNoMore(): void
    {
        foreach ([BatchFlow::Finish, BatchFlow::Abort] as $flow) {
            $user = $this->user();
            $outcomes = $this->client()->sendConversations(
                $this->numbered(300, $user),
                static fn (int $index) => $index === 9 ? $flow : null,
            );
            [$outcomes] = $this->catch($outcomes);
            self::assertLessThanOrEqual(9 + 16, count($outcomes));
            $this->assertCertain($outcomes, count($outcomes), $user);
        }
    }

    public function testContinueAndNothingGoOn(): void
    {
        foreach ([null, BatchFlow::Continue] as $flow) {
            [$outcomes, $thrown] = $this->catch(
                $this->client()->sendConversations($this->numbered(30), static fn () => $flow),
            );
            self::assertNull($thrown);
            self::assertSame(array_fill(0, 30, Delivery::Delivered), array_column($outcomes, 'delivery'));
        }
    }

    public function testAnythingElseThatOnResultReturnsIsATypeErrorAfterTheOutcomes(): void
    {
        foreach ([2, true, false, 'Finish', -1, 1.5, [], Delivery::Delivered] as $value) {
            [$user, $calls] = [$this->user(), 0];
            $onResult = static function () use ($value, &$calls): mixed {
                $calls++;
                return $value;
            };
            [$outcomes, $thrown] = $this->catch(
                $this->client()->sendConversations($this->numbered(300, $user), $onResult),
            );
            self::assertInstanceOf(\TypeError::class, $thrown);
            $type = get_debug_type($value);
            self::assertSame(
                "onResult returned $type: return a case of UserEngage\BatchFlow, or nothing to go on",
                $thrown->getMessage(),
            );
            self::assertSame(1, $calls);
            self::assertLessThanOrEqual(16, count($outcomes));
            self::assertNotContains(Delivery::Unknown, array_column($outcomes, 'delivery'));
            $this->assertCertain($outcomes, count($outcomes), $user);
        }
    }

    public function testWhatOnResultThrowsFinishesAndIsThrownAfterTheOutcomes(): void
    {
        [$user, $slow] = [$this->user(), $this->user()];
        $this->sandbox()->fault($slow, 'delay', ms: 300);
        $calls = 0;
        $onResult = static function () use (&$calls): void {
            ++$calls === 2 && throw new \DomainException('stop');
        };
        $client = $this->client();
        [$outcomes, $thrown] = $this->catch(
            $client->sendConversations([new Message($slow, 'x'), ...$this->numbered(30, $user)], $onResult),
        );
        self::assertSame(2, $calls);
        self::assertInstanceOf(\DomainException::class, $thrown);
        self::assertNull($thrown->getPrevious());
        self::assertNotContains(Delivery::Unknown, array_column($outcomes, 'delivery'));
        $this->assertCertain(array_slice($outcomes, 1), count($outcomes) - 1, $user);
        self::assertSame(201, $client->sendConversation($this->user(), self::CONTENT)->httpStatus);
    }

    public function testWhatOnResultThrowsIsNotLostWhereTheIterationIsLeft(): void
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

    public function testOnResultMayIterateOverAnotherBatchOfTheSameClient(): void
    {
        [$outer, $inner] = [$this->user(), $this->user()];
        $client = $this->client();
        $onResult = function () use ($client, $inner): void {
            self::assertCount(2, $this->catch($client->sendConversations($this->numbered(2, $inner)))[0]);
        };
        [$outcomes, $thrown] = $this->catch($client->sendConversations($this->numbered(5, $outer), $onResult));
        self::assertNull($thrown);
        $this->assertCertain($outcomes, 5, $outer);
        self::assertCount(10, $this->sandbox()->requests($inner));
    }

    public function testAClientThatIsClosedInOnResultClosesTheRest(): void
    {
        $user = $this->user();
        $client = $this->client();
        $told = 0;
        $onResult = static function () use ($client, &$told): void {
            $told++;
            $client->close();
        };
        [$outcomes, $thrown] = $this->catch(
            $client->sendConversations([...$this->numbered(9, $user), $this->unanswered()], $onResult),
        );
        self::assertNull($thrown);
        self::assertSame(10, $told);
        self::assertInstanceOf(ClosedException::class, $outcomes[9]);
    }

    /** @dataProvider placesToFork */
    public function testACopyThatForkMakesSendsNothingAndSaysWhoHasTheOutcomes(string $place): void
    {
        $user = $this->user();
        $process = Process::run([PHP_BINARY, __DIR__ . '/programs/fork_in_batch.php', $user, $place]);
        self::assertSame(['', 0], [$process->errors, $process->status]);
        $lines = explode("\n", trim($process->output));
        sort($lines);
        self::assertSame(['child: certain', 'parent: 40 delivered'], $lines);
        self::assertCount(40, $this->sandbox()->requests($user));
    }

    /** @return array<string, array{string}> */
    public static function placesToFork(): array
    {
        return ['in the iterable' => ['iterable'], 'in onResult' => ['onResult'], 'in the loop' => ['loop']];
    }

    public function testAnInterruptCallbackEndsABatchThatWaits(): void
    {
        foreach ([null, new \DomainException('stop')] as $expected) {
            $user = $this->user();
            $this->sandbox()->fault($user, 'hang');
            $client = $this->client(interrupt: function () use ($user, $expected): bool {
                $hasArrived = $this->sandbox()->requests($user) !== [];
                return $hasArrived && $expected !== null ? throw $expected : $hasArrived;
            });
            [$outcomes, $thrown] = $this->catch($client->sendConversations($this->numbered(3, $user)));
            self::assertSame(
                [Delivery::Unknown, Delivery::NotDelivered, Delivery::NotDelivered],
                array_column($outcomes, 'delivery'),
            );
            self::assertContainsOnlyInstancesOf(CancelledException::class, $outcomes);
            self::assertSame($expected, $thrown);
        }
    }

    public function testAnInterruptCallbackIsAskedThoughOutcomesKeepComing(): void
    {
        foreach ([null, static fn () => usleep(1000)] as $onResult) {
            $user = $this->user();
            $this->sandbox()->fault($user, 'delay', ms: 20, times: 50);
            $outcomes = $this->client(interrupt: static fn () => true)
                ->sendConversations($this->numbered(50, $user), $onResult);
            [$outcomes, $thrown] = $this->catch($outcomes);
            self::assertNull($thrown);
            self::assertInstanceOf(CancelledException::class, end($outcomes));
            $this->assertCertain($outcomes, count($outcomes), $user);
        }
    }

    public function testASignalsHandlerRunsBetweenMessagesAndWhatItThrowsIsThrownOn(): void
    {
        $async = pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, static fn () => throw new \DomainException('signal'));
        try {
            $user = $this->user();
            $outcomes = $this->client()->sendConversations(
                [$this->unanswered(), ...$this->numbered(19, $user)],
                static function (int $index): void {
                    $index === 1 && posix_kill(posix_getpid(), SIGUSR1);
                },
            );
            [$outcomes, $thrown] = $this->catch($outcomes);
        } finally {
            pcntl_signal(SIGUSR1, SIG_DFL);
            pcntl_async_signals($async);
        }
        self::assertSame('signal', $thrown?->getMessage());
        self::assertInstanceOf(CancelledException::class, $outcomes[0]);
        $this->assertCertain(array_slice($outcomes, 1), count($outcomes) - 1, $user);
    }

    public function testASignalsHandlerRunsWhileABatchWaitsThoughThereIsNoCallback(): void
    {
        $message = $this->unanswered();
        $async = pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, static fn () => throw new \DomainException('signal'));
        $url = $this->sandbox()->requestsUrl($message->clientUserId);
        $whenArrived = 'while (file_get_contents($argv[1]) === "[]"); posix_kill((int) $argv[2], SIGUSR1);';
        $kill = proc_open([PHP_BINARY, '-r', $whenArrived, '--', $url, (string) getmypid()], [], $pipes);
        try {
            [$outcomes, $thrown] = $this->catch($this->client()->sendConversations([$message]));
        } finally {
            pcntl_signal(SIGUSR1, SIG_DFL);
            self::assertTrue(pcntl_async_signals($async));
            proc_close($kill);
        }
        self::assertSame('signal', $thrown?->getMessage());
        self::assertInstanceOf(CancelledException::class, $outcomes[0]);
    }

    public function testABatchMayBeSentInASignalsHandler(): void
    {
        $async = pcntl_async_signals(true);
        [$outcomes, $told] = [null, 0];
        pcntl_signal(SIGUSR1, function () use (&$outcomes, &$told): void {
            $onResult = static function () use (&$told): void {
                $told++;
            };
            [$outcomes] = $this->catch($this->client()->sendConversations($this->numbered(3), $onResult));
        });
        posix_kill(posix_getpid(), SIGUSR1);
        pcntl_signal_dispatch();
        pcntl_signal(SIGUSR1, SIG_DFL);
        pcntl_async_signals($async);
        self::assertSame(array_fill(0, 3, Delivery::Delivered), array_column($outcomes, 'delivery'));
        self::assertSame(3, $told);
    }

    public function testOnResultAndLoggerMaySendWithTheSameClient(): void
    {
        [$outer, $inner] = [$this->user(), $this->user()];
        $client = null;
        $logger = new Logger(function () use (&$client, &$logger, $inner): void {
            count($logger->lines) === 1 && $client->sendConversation($inner, 'of the logger');
        });
        $client = $this->client(logger: $logger);
        $onResult = function (int $index) use (&$client, $inner): void {
            $index === 1 && $this->catch($client->sendConversations([new Message($inner, 'of onResult')]));
        };
        [$outcomes] = $this->catch($client->sendConversations($this->numbered(5, $outer), $onResult));
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

    public function testOnResultMaySuspendAFiberWhileOthersSend(): void
    {
        $user = $this->user();
        $client = $this->client();
        $fiber = new \Fiber(function () use ($client, $user): array {
            $onResult = static fn (int $index) => \Fiber::suspend($index);
            return $this->catch($client->sendConversations($this->numbered(5, $user), $onResult))[0];
        });
        $told = [$fiber->start()];
        while (!$fiber->isTerminated()) {
            self::assertSame(201, $client->sendConversation($this->user(), 'x')->httpStatus);
            $told[] = $fiber->resume();
        }
        self::assertSame([0, 1, 2, 3, 4, null], $told);
        $this->assertCertain($fiber->getReturn(), 5, $user);
    }

    public function testAFiberThatIsDroppedInOnResultEndsItsBatch(): void
    {
        $user = $this->user();
        $messages = [...$this->numbered(5, $user), $this->unanswered()];
        $fiber = new \Fiber(fn () => $this->catch(
            $this->client()->sendConversations($messages, static fn (int $index) => \Fiber::suspend($index)),
        ));
        $async = pcntl_async_signals(true);
        $fiber->start();
        unset($fiber);
        gc_collect_cycles();
        self::assertTrue(pcntl_async_signals($async));
        self::assertSame(201, $this->client()->sendConversation($user, 'x')->httpStatus);
    }

    /** @dataProvider ways */
    public function testOnResultMayLeaveTheProgram(string $how, int $status, string $errors): void
    {
        $user = $this->user();
        // The last message waits behind the first: they are to one user.
        $this->sandbox()->fault("$user-0", 'hang');
        $process = Process::run([PHP_BINARY, __DIR__ . '/programs/leave.php', $user, $how]);
        self::assertSame([$status, 'shutdown'], [$process->status, $process->output]);
        self::assertMatchesRegularExpression($errors, $process->errors);
        self::assertLessThan(2, count($this->sandbox()->requests("$user-0")));
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
