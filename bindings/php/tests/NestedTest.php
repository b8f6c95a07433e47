<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Client;
use UserEngage\Exception\NotFoundException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Result;

/** A message that is sent while another one is being sent: each has its own outcome. */
final class NestedTest extends TestCase
{
    /** @var array<string, Result|UserEngageException> By the users. */
    private array $outcomes = [];

    /** Sends the inner message, once. */
    private ?\Closure $inner = null;

    public function testFromALogger(): void
    {
        $logger = new Logger($this->sendInner(...));
        $this->assertOwnOutcomes($this->client(apiVersion: 2, logger: $logger, logLevel: 'debug'));
    }

    public function testFromAnInterruptCallback(): void
    {
        $this->assertOwnOutcomes($this->client(apiVersion: 2, interrupt: $this->sendInner(...)), slow: true);
    }

    public function testFromASignalsHandlerDuringTheCall(): void
    {
        $client = $this->client(
            apiVersion: 2,
            interrupt: static fn () => posix_kill(posix_getpid(), SIGUSR1) && false,
        );
        $this->withHandler(fn () => $this->assertOwnOutcomes($client, slow: true));
    }

    public function testFromASignalsHandlerAfterTheCall(): void
    {
        $client = $this->client(
            apiVersion: 2,
            logger: new Logger(static fn () => posix_kill(posix_getpid(), SIGUSR1)),
        );
        $this->withHandler(fn () => $this->assertOwnOutcomes($client));
    }

    public function testFromTheContextThatIsWrittenAsJson(): void
    {
        $context = new class ($this->sendInner(...)) implements \JsonSerializable {
            public function __construct(private \Closure $sendInner)
            {
            }

            public function jsonSerialize(): mixed
            {
                ($this->sendInner)();
                return ['id' => 123];
            }
        };
        $this->assertOwnOutcomes($this->client(apiVersion: 2), $context);
    }

    public function testFromAFiberThatWaitsInACallback(): void
    {
        foreach ([['', ''], ['missing-', ''], ['', 'missing-']] as $prefixes) {
            $users = array_map(fn (string $prefix): string => $prefix . $this->user(), $prefixes);
            array_map($this->delay(...), $users);
            $client = $this->client(apiVersion: 2, interrupt: static function (): void {
                \Fiber::getCurrent() === null ?: \Fiber::suspend();
            });
            $fibers = array_map(fn () => new \Fiber($this->send(...)), $users);
            foreach ($fibers as $i => $fiber) {
                $fiber->start($client, $users[$i]);
                self::assertTrue($fiber->isSuspended());
            }
            $user = $this->user();
            $this->send($client, $user);
            // The call that began first ends first.
            foreach ($fibers as $fiber) {
                while (!$fiber->isTerminated()) {
                    $fiber->resume();
                }
            }
            $this->assertOwn([...$users, $user]);
        }
    }

    /**
     * @param Client $client One that calls $inner while it sends.
     * @param ?object $context What goes with the outer message.
     * @param bool $slow Whether its answer is slow enough for the interrupt callback to be called.
     */
    private function assertOwnOutcomes(Client $client, ?object $context = null, bool $slow = false): void
    {
        foreach ([['', ''], ['missing-', ''], ['', 'missing-']] as [$outer, $inner]) {
            $users = [$outer . $this->user(), $inner . $this->user(), $this->user()];
            !$slow ?: $this->delay($users[0]);
            $this->inner = fn () => $this->send($client, $users[1]);
            $this->send($client, $users[0], $context);
            self::assertNull($this->inner);
            $this->send($client, $users[2]);
            $this->assertOwn($users);
        }
    }

    private function delay(string $user): void
    {
        $this->sandbox()->fault($user, 'delay', ms: 250);
    }

    private function sendInner(): void
    {
        [$inner, $this->inner] = [$this->inner, null];
        $inner === null ?: $inner();
    }

    private function send(Client $client, string $user, ?object $context = null): void
    {
        try {
            $this->outcomes[$user] = $client->sendConversation($user, "to $user", sourceContext: $context);
        } catch (UserEngageException $exception) {
            $this->outcomes[$user] = $exception;
        }
    }

    /** @param list<string> $users */
    private function assertOwn(array $users): void
    {
        foreach ($users as $user) {
            $request = $this->onlyRequest($user);
            self::assertSame("to $user", json_decode($request['body'])->content);
            $outcome = $this->outcomes[$user];
            if (str_starts_with($user, 'missing-')) {
                self::assertInstanceOf(NotFoundException::class, $outcome);
            } else {
                self::assertInstanceOf(Result::class, $outcome);
                self::assertSame($request['conversation_id'], $outcome->conversationId);
            }
        }
    }

    /** Runs $call with sendInner() as the handler of SIGUSR1. */
    private function withHandler(\Closure $call): void
    {
        $async = pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, $this->sendInner(...));
        try {
            $call();
        } finally {
            pcntl_signal(SIGUSR1, SIG_DFL);
            pcntl_async_signals($async);
        }
    }
}
