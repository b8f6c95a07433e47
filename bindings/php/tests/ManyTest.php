<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Delivery;
use UserEngage\Exception;
use UserEngage\Exception\UserEngageException;
use UserEngage\Message;
use UserEngage\Result;
use UserEngage\Source;

/** sendConversations(): the outcome of each message, the order, and the memory. */
final class ManyTest extends TestCase
{
    public function testEachMessageHasItsOwnOutcomeByItsKey(): void
    {
        $lost = $this->user();
        $this->sandbox()->fault($lost, 'reset');
        $messages = [
            'first' => new Message($this->user(), self::CONTENT),
            'nobody' => new Message('missing-' . $this->user(), self::CONTENT),
            'lost' => new Message($lost, self::CONTENT),
            'no agent' => new Message($this->user(), self::CONTENT, user: 0),
            'Latin-1' => new Message($this->user(), "caf\xe9"),
            'no JSON' => new Message($this->user(), self::CONTENT, sourceContext: [INF]),
            'last' => new Message($this->user(), self::CONTENT),
        ];
        $outcomes = iterator_to_array($this->client(maxAttempts: 1)->sendConversations($messages));
        $seen = array_map(static fn ($outcome) => [$outcome::class, $outcome->delivery], $outcomes);
        $expected = [
            'first' => [Result::class, Delivery::Delivered],
            'nobody' => [Exception\NotFoundException::class, Delivery::NotDelivered],
            'lost' => [Exception\ConnectionLostException::class, Delivery::Unknown],
            'no agent' => [Exception\InvalidArgumentException::class, Delivery::NotDelivered],
            'Latin-1' => [Exception\InvalidArgumentException::class, Delivery::NotDelivered],
            'no JSON' => [Exception\InvalidArgumentException::class, Delivery::NotDelivered],
            'last' => [Result::class, Delivery::Delivered],
        ];
        ksort($seen);
        ksort($expected);
        self::assertSame($expected, $seen);
        self::assertStringStartsWith('user is 0: give', $outcomes['no agent']->getMessage());
        self::assertStringStartsWith('content is not UTF-8', $outcomes['Latin-1']->getMessage());
        self::assertSame(404, $outcomes['nobody']->httpStatus);
    }

    public function testAMessageArrivesAsWritten(): void
    {
        $user = $this->user();
        $message = new Message($user, "Zażółć\n😀", user: 926, source: Source::Email, sourceContext: ['id' => 123]);
        [$outcome] = $this->send([$message]);
        self::assertInstanceOf(Result::class, $outcome);
        self::assertSame(201, $outcome->httpStatus);
        self::assertSame(
            '{"content":"Zażółć\n😀","user":926,"source":2,"source_context":{"id":123}}',
            $this->onlyRequest($user)['body'],
        );
    }

    public function testMessagesToOneUserKeepTheirOrder(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'status', status: 404, times: 1);
        $outcomes = $this->send($this->numbered(30, $user));
        self::assertSame(Delivery::NotDelivered, $outcomes[0]->delivery);
        self::assertSame(
            array_map(static fn (int $i): string => "{\"content\":\"$i\"}", range(0, 29)),
            array_column($this->sandbox()->requests($user), 'body'),
        );
    }

    public function testNoMoreConnectionsAreUsedThanTheOptionSays(): void
    {
        $users = array_map(fn (): string => $this->user(), range(1, 12));
        foreach ($users as $user) {
            $this->sandbox()->fault($user, 'delay', ms: 20);
        }
        $messages = array_map(static fn (string $user) => new Message($user, 'x'), $users);
        $client = $this->client(maxConnections: 3);
        foreach ($client->sendConversations($messages) as $outcome) {
            self::assertSame(Delivery::Delivered, $outcome->delivery);
        }
        $used = array_map(fn (string $user) => $this->onlyRequest($user)['connection'], $users);
        self::assertCount(3, array_unique($used));
    }

    public function testNoMessagesAreNoOutcomes(): void
    {
        self::assertSame([], $this->send([]));
        self::assertSame([], $this->send(new \EmptyIterator()));
    }

    public function testKeysMayBeAnything(): void
    {
        $source = function (): \Generator {
            foreach ($this->numbered(7) as $number => $message) {
                yield ['row' => $number] => $message;
            }
        };
        $seen = [];
        foreach ($this->client()->sendConversations($source()) as $key => $outcome) {
            self::assertSame(Delivery::Delivered, $outcome->delivery);
            $seen[] = $key['row'];
        }
        sort($seen);
        self::assertSame(range(0, 6), $seen);
    }

    public function testNothingIsReadBeforeTheIteration(): void
    {
        $source = static function (): \Generator {
            self::fail('read');
            yield;
        };
        $outcomes = $this->client()->sendConversations($source());
        $this->expectException(\DomainException::class);
        $outcomes->throw(new \DomainException()); // and no warning that nothing was sent
    }

    /** @dataProvider bounds */
    public function testNoMoreMessagesAreReadAheadOfTheirOutcomesThanTheBound(int $maxConnections, int $bound): void
    {
        foreach ([true, false] as $isTold) {
            [$read, $known, $most] = [0, 0, 0];
            $source = function () use (&$read): \Generator {
                foreach ($this->numbered(100) as $message) {
                    $read++;
                    yield $message;
                }
            };
            $know = static function () use (&$read, &$known, &$most): void {
                $most = max($most, $read - $known);
                $known++;
            };
            $client = $this->client(maxConnections: $maxConnections);
            foreach ($client->sendConversations($source(), $isTold ? $know : null) as $_) {
                $isTold ?: $know();
            }
            self::assertSame(100, $known);
            self::assertLessThanOrEqual($bound, $most);
        }
    }

    /** @return array<string, array{int, int}> */
    public static function bounds(): array
    {
        return ['few connections' => [2, 10], 'the default' => [8, 16], 'many connections' => [20, 40]];
    }

    public function testTheBoundIsReached(): void
    {
        $read = 0;
        $first = $this->user();
        $this->sandbox()->fault($first, 'hang');
        $source = function () use ($first, &$read): \Generator {
            while (true) {
                $read++;
                yield new Message($first, 'x'); // the others wait for the first one
            }
        };
        $client = $this->client(interrupt: static function () use (&$read): bool {
            return $read === 16;
        });
        self::assertCount(16, $this->catch($client->sendConversations($source()))[0]);
    }

    public function testAMessageThatHangsHoldsUpNoneToAnotherUser(): void
    {
        $hangs = $this->user();
        $this->sandbox()->fault($hangs, 'hang');
        $yielded = [];
        $client = $this->client(interrupt: static function () use (&$yielded): bool {
            return count($yielded) === 40;
        });
        foreach ($client->sendConversations([new Message($hangs, 'x'), ...$this->numbered(40)]) as $key => $outcome) {
            $yielded[] = $key;
        }
        self::assertSame(0, array_pop($yielded));
        sort($yielded);
        self::assertSame(range(1, 40), $yielded);
    }

    public function testMessagesThatAreRefusedHoldUpNoneInFlight(): void
    {
        $isKnown = false;
        $source = function () use (&$isKnown): \Generator {
            yield 'sent' => new Message($this->user(), 'x');
            for ($i = 0; $i < 100_000 && !$isKnown; $i++) {
                yield $i => new Message(1, 'x', user: 0);
            }
            self::assertTrue($isKnown);
        };
        foreach ($this->client()->sendConversations($source()) as $key => $outcome) {
            $isKnown = $isKnown || $key === 'sent';
        }
        self::assertTrue($isKnown);
    }

    public function testAnIterationThatIsLeftBeginsNoMoreAndOnResultLearnsOfAllThatWereSent(): void
    {
        [$users, $told, $yielded] = [[], [], 0];
        $source = function () use (&$users): \Generator {
            for ($i = 0; $i < 300; $i++) {
                yield new Message($users[] = $this->user(), 'x');
            }
        };
        $onResult = static function (int $number, Result|UserEngageException $outcome) use (&$told): void {
            $told[$number] = $outcome->delivery;
        };
        foreach ($this->client()->sendConversations($source(), $onResult) as $outcome) {
            if (++$yielded === 3) {
                break;
            }
        }
        ksort($told);
        self::assertSame(array_keys($users), array_keys($told));
        self::assertLessThanOrEqual(2 + 16, count($told));
        foreach ($users as $number => $user) {
            $arrived = $this->sandbox()->requests($user) !== [];
            self::assertSame($arrived ? Delivery::Delivered : Delivery::NotDelivered, $told[$number]);
        }
    }

    public function testWhatTheIterableThrowsComesAfterTheOutcomesOfWhatItGave(): void
    {
        $user = $this->user();
        $source = function () use ($user): \Generator {
            yield from $this->numbered(5, $user);
            throw new \DomainException('the database is gone');
        };
        [$outcomes, $thrown] = $this->catch($this->client()->sendConversations($source()));
        self::assertSame('the database is gone', $thrown?->getMessage());
        self::assertCount(5, $outcomes);
        self::assertCount(5, $this->sandbox()->requests($user));
    }

    public function testSomethingElseThanAMessageIsATypeError(): void
    {
        $messages = [new Message($this->user(), 'x'), ['clientUserId' => 1, 'content' => 'x']];
        [$outcomes, $thrown] = $this->catch($this->client()->sendConversations($messages));
        self::assertSame([Delivery::Delivered], array_column($outcomes, 'delivery'));
        self::assertInstanceOf(\TypeError::class, $thrown);
        self::assertSame('messages holds array: give UserEngage\Message objects', $thrown->getMessage());
    }

    public function testOutcomesThatNobodyReadsAreWarnedOf(): void
    {
        $warnings = [];
        set_error_handler(static function (int $level, string $text) use (&$warnings): bool {
            $warnings[] = [$level, $text];
            return true;
        });
        $user = $this->user();
        $this->client()->sendConversations($this->numbered(2, $user));
        restore_error_handler();
        self::assertCount(1, $warnings);
        self::assertSame(E_USER_WARNING, $warnings[0][0]);
        self::assertStringContainsString('sent nothing: it sends while', $warnings[0][1]);
        self::assertSame([], $this->sandbox()->requests($user));
    }

    public function testWhatAContextThrowsComesAfterTheOutcomes(): void
    {
        $context = new class implements \JsonSerializable {
            public function jsonSerialize(): mixed
            {
                throw new \DomainException('the database is gone');
            }
        };
        $messages = [...$this->numbered(3), new Message(1, 'x', sourceContext: $context), ...$this->numbered(1)];
        [$outcomes, $thrown] = $this->catch($this->client()->sendConversations($messages));
        self::assertSame('the database is gone', $thrown?->getMessage());
        self::assertSame(array_fill(0, 3, Delivery::Delivered), array_column($outcomes, 'delivery'));
    }

    public function testANumberOfFailuresThatIsNoneIsRefusedAtOnce(): void
    {
        foreach ([0, -1, 0x100000001] as $number) {
            $exception = self::assertThrows(
                Exception\InvalidArgumentException::class,
                fn () => $this->client()->sendConversations([], maxFailuresInARow: $number),
            );
            self::assertStringStartsWith("maxFailuresInARow is $number: give 1 or more", $exception->getMessage());
        }
    }

    public function testAnOutageIsFewFailuresAndReadsNoMore(): void
    {
        $read = 0;
        $user = $this->user();
        $this->sandbox()->fault($user, 'status', status: 500, times: 9);
        $source = static function () use ($user, &$read): \Generator {
            while ($read < 100) {
                yield $read++ => new Message($user, 'x');
            }
        };
        $told = [];
        $outcomes = $this->client(maxAttempts: 1)->sendConversations(
            $source(),
            static function (int $number) use (&$told): void {
                $told[] = $number;
            },
            maxFailuresInARow: 3,
        );
        [$outcomes] = $this->catch($outcomes);
        self::assertSame(
            [...array_fill(0, 3, Delivery::Unknown), ...array_fill(3, $read - 3, Delivery::NotDelivered)],
            array_column($outcomes, 'delivery'),
        );
        self::assertSame(range(0, $read - 1), $told); // to one user, so in order
        self::assertLessThanOrEqual(3 + 16, $read);
        self::assertInstanceOf(Exception\ServerErrorException::class, $outcomes[2]);
        self::assertInstanceOf(Exception\SuspendedException::class, $outcomes[3]);
        self::assertTrue($outcomes[$read - 1]->isRetryable());
        self::assertCount(3, $this->sandbox()->requests($user));
    }

    public function testWhatIsTheFaultOfAMessageIsNoFailureInARow(): void
    {
        $messages = array_map(static fn (int $i) => new Message("missing-$i", 'x'), range(1, 9));
        $outcomes = iterator_to_array($this->client()->sendConversations($messages, maxFailuresInARow: 2));
        self::assertContainsOnlyInstancesOf(Exception\NotFoundException::class, $outcomes);
    }

    public function testAMessageHasItsOwnTimeout(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        [$outcome, $wrong] = $this->send([new Message($user, 'x', timeout: 0.1), new Message(1, 'x', timeout: 0.0)]);
        self::assertInstanceOf(Exception\TimeoutException::class, $outcome);
        self::assertLessThan(10.0, $outcome->elapsed);
        self::assertStringStartsWith('timeout is 0: give seconds', $wrong->getMessage());
    }

    public function testAClosedClientSendsNothing(): void
    {
        $user = $this->user();
        $client = $this->client();
        $deliveries = [];
        foreach ($client->sendConversations($this->numbered(40, $user)) as $key => $outcome) {
            $client->close();
            $deliveries[$key] = $outcome->delivery;
            self::assertSame($outcome->delivery !== Delivery::Delivered, $outcome instanceof Exception\ClosedException);
        }
        self::assertCount(40, $deliveries);
        self::assertSame(Delivery::Delivered, $deliveries[0]);
        self::assertSame(Delivery::NotDelivered, $deliveries[39]);
        self::assertLessThanOrEqual(16, count($this->sandbox()->requests($user)));
    }

    public function testAClientThatWasClosedBeforeSendsNothing(): void
    {
        $client = $this->client();
        $client->close();
        $messages = [new Message(1, 'x', reference: 'a'), new Message(2, 'x', reference: 'b')];
        $outcomes = iterator_to_array($client->sendConversations($messages));
        self::assertContainsOnlyInstancesOf(Exception\ClosedException::class, $outcomes);
        self::assertSame(['a', 'b'], array_column($outcomes, 'reference'));
    }

    public function testAnOutcomeThatIsKeptKeepsNoDescriptor(): void
    {
        $before = ini_set('zend.exception_ignore_args', '0'); // traces keep arguments
        $client = $this->client();
        $client->sendConversation($this->user(), 'x');
        $descriptors = static fn (): int => count(scandir('/proc/self/fd') ?: []);
        $open = $descriptors();
        $kept = [];
        for ($i = 0; $i < 20; $i++) {
            $kept[] = iterator_to_array($client->sendConversations([new Message('missing', 'x')]));
            foreach ($client->sendConversations([new Message('missing', 'x'), new Message(1, 'x')]) as $outcome) {
                $kept[] = $outcome;
                break;
            }
        }
        self::assertLessThan(10, $descriptors() - $open);
        ini_set('zend.exception_ignore_args', (string) $before);
    }

    public function testAnOutcomeThatIsKeptKeepsNoMessage(): void
    {
        $before = ini_set('zend.exception_ignore_args', '0'); // traces keep arguments
        $message = new Message('missing', 'x');
        $kept = \WeakReference::create($message);
        $messages = static function () use (&$message): \Generator {
            yield $message;
            $message = null;
        };
        $outcomes = iterator_to_array($this->client()->sendConversations($messages()));
        self::assertInstanceOf(Exception\NotFoundException::class, $outcomes[0]);
        self::assertNull($kept->get());
        ini_set('zend.exception_ignore_args', (string) $before);
    }

    public function testTwentyThousandMessagesTakeNoMoreMemoryThanFew(): void
    {
        $sandbox = new Sandbox('--keep', '100');
        $client = $this->client(baseUrl: $sandbox->baseUrl());
        $messages = static function (): \Generator {
            for ($i = 0; $i < 20_000; $i++) {
                // 20 MB in all, and every tenth fails
                yield new Message($i % 10 === 0 ? "missing-$i" : $i + 1, str_repeat('x', 1000));
            }
        };
        [$begin, $most, $resident, $delivered] = [memory_get_usage(), 0, 0, 0];
        foreach ($client->sendConversations($messages(), static fn () => null) as $i => $outcome) {
            $most = max($most, memory_get_usage());
            $delivered += $outcome->delivery === Delivery::Delivered ? 1 : 0;
            if ($i === 2_000) {
                $resident = self::resident();
            }
        }
        self::assertSame(18_000, $delivered);
        self::assertLessThan(1_000_000, $most - $begin);
        self::assertLessThan(4_000_000, self::resident() - $resident);
    }

    /**
     * @param iterable<Message> $messages
     * @return array<Result|UserEngageException>
     */
    private function send(iterable $messages): array
    {
        return $this->catch($this->client()->sendConversations($messages))[0];
    }

    /** Bytes of this process in memory. */
    private static function resident(): int
    {
        return 4096 * (int) explode(' ', (string) file_get_contents('/proc/self/statm'))[1];
    }
}
