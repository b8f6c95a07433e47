<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Exception;

/** Forks, signals, fibers, memory. */
final class ProcessTest extends TestCase
{
    public function testAfterAForkParentAndChildEachGetTheirOwnAnswers(): void
    {
        $user = $this->user();
        $process = Process::run([PHP_BINARY, __DIR__ . '/programs/fork.php', $user, '50']);
        self::assertSame(['', 0], [$process->errors, $process->status]);

        $ids = [];
        foreach (explode("\n", trim($process->output)) as $line) {
            $numbers = explode(' ', $line);
            $ids[array_shift($numbers)] = array_map(intval(...), $numbers);
        }
        $arrived = ['before' => [], 'child' => [], 'parent' => []];
        $connections = [];
        foreach ($this->sandbox()->requests($user) as $request) {
            $who = strtok(json_decode($request['body'], true)['content'], ' ');
            $arrived[$who][] = $request['conversation_id'];
            $connections[$who][] = $request['connection'];
        }
        self::assertCount(50, $ids['parent']);
        self::assertSame($arrived['parent'], $ids['parent']);
        self::assertSame($arrived['child'], $ids['child']);
        self::assertEmpty(array_intersect($connections['child'], $connections['parent'], $connections['before']));
    }

    public function testASignalsHandlerRunsWhileACallWaitsAndWhatItThrowsIsThrownOn(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        $asked = 0;
        $client = $this->client(interrupt: static function () use (&$asked): void {
            // PHP holds a signal back until the callback is asked again, as it does with one from outside.
            ++$asked === 1 && posix_kill(posix_getpid(), SIGUSR1);
        });
        $thrown = $this->withHandler(
            static fn () => throw new \DomainException('signal'),
            static fn () => $client->sendConversation($user, self::CONTENT),
        );
        self::assertSame('signal', $thrown?->getMessage());
        self::assertInstanceOf(Exception\CancelledException::class, $thrown->getPrevious());
        self::assertSame(201, $client->sendConversation($this->user(), self::CONTENT)->httpStatus);
    }

    public function testASignalsHandlerThatReturnsLetsTheCallGoOn(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'delay', ms: 300);
        $handled = $asked = 0;
        $client = $this->client(interrupt: static function () use (&$asked): void {
            ++$asked === 1 && posix_kill(posix_getpid(), SIGUSR1);
        });
        $thrown = $this->withHandler(
            static function () use (&$handled): void {
                $handled++;
            },
            static fn () => $client->sendConversation($user, self::CONTENT),
        );
        self::assertNull($thrown);
        self::assertSame(1, $handled);
        self::assertCount(1, $this->sandbox()->requests($user));
    }

    public function testWithoutAnInterruptCallbackASignalsHandlerRunsAfterTheCall(): void
    {
        $user = $this->user();
        $arrived = null;
        $client = $this->client(logLevel: 'debug', logger: new Logger(static function (): void {
            posix_kill(posix_getpid(), SIGUSR1);
        }));
        $thrown = $this->withHandler(
            function () use (&$arrived, $user): void {
                $arrived ??= count($this->sandbox()->requests($user));
            },
            static fn () => $client->sendConversation($user, self::CONTENT),
        );
        self::assertNull($thrown);
        self::assertSame(1, $arrived);
    }

    public function testWithoutAnyCallbackWhatASignalsHandlerThrowsComesWithTheOutcome(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        $kill = proc_open(['sh', '-c', 'sleep 0.1; kill -USR1 ' . getmypid()], [], $pipes);
        $thrown = $this->withHandler(
            static fn () => throw new \DomainException('signal'),
            fn () => $this->client(timeout: 1.0)->sendConversation($user, self::CONTENT),
        );
        proc_close($kill);
        self::assertSame('signal', $thrown?->getMessage());
        self::assertInstanceOf(Exception\TimeoutException::class, $thrown->getPrevious());
    }

    public function testAClientWorksInAFiber(): void
    {
        $user = $this->user();
        $fiber = new \Fiber(function () use ($user): int {
            $client = $this->client(interrupt: static fn () => false);
            \Fiber::suspend();
            return $client->sendConversation($user, self::CONTENT)->httpStatus;
        });
        $fiber->start();
        $fiber->resume();
        self::assertSame(201, $fiber->getReturn());
    }

    public function testManyClientsAndMessagesLeaveNoMemoryAndNoDescriptorBehind(): void
    {
        $user = $this->user();
        $use = function (int $times) use ($user): void {
            for ($i = 0; $i < $times; $i++) {
                $client = $this->client(interrupt: static fn () => false, logger: new Logger());
                $client->sendConversation($user, self::CONTENT, sourceContext: ['i' => $i]);
                try {
                    $client->sendConversation('missing', self::CONTENT);
                } catch (Exception\NotFoundException) {
                    // Its result is freed too.
                }
                $messages = $this->numbered(3);
                self::assertCount(3, $this->catch($client->sendConversations($messages, static fn () => null))[0]);
            }
        };
        $measure = static fn (): array => [memory_get_usage(), count(scandir('/proc/self/fd'))];
        $use(20);
        [$memory, $descriptors] = $measure();
        $use(200);
        self::assertLessThan($memory + 4096, $measure()[0]);
        self::assertSame($descriptors, $measure()[1]);
    }

    /** Runs $call with $handler at SIGUSR1, and returns what came out. */
    private function withHandler(\Closure $handler, \Closure $call): ?\Throwable
    {
        $async = pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, $handler);
        try {
            $call();
            return null;
        } catch (\Throwable $thrown) {
            return $thrown;
        } finally {
            pcntl_signal(SIGUSR1, SIG_DFL);
            pcntl_async_signals($async);
        }
    }
}
