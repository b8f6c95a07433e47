<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\BatchFlow;
use UserEngage\Client;
use UserEngage\Delivery;
use UserEngage\Exception\CancelledException;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\SuspendedException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Message;
use UserEngage\Result;
use UserEngage\Retry;

/**
 * One sendConversations(): its ue_queue, into which messages are copied, and from which finished ones are taken. A
 * thread of the library sends them.
 *
 * The caller's code (iterable, onResult, signal handlers) runs as plain PHP code between two calls of the library. So
 * it may throw, suspend a fiber, send, fork, or call exit(): the thread reads nothing that PHP owns.
 *
 * @internal
 */
final class Queue
{
    /** How often, in milliseconds, signal handlers run and the interrupt callback is asked, at least. */
    private const LOOK_EVERY = 100;

    /** @var array<int, FFI\CData> Each ue_queue *, by the id of its object. */
    private static array $pointers = [];
    private static bool $registered = false;

    private FFI $ffi;
    private NativeMessage $message;
    private NativeResult $result;

    /** @var ?array{mixed, Message} The key and the message that reader() has read. */
    private ?array $read = null;

    /** How many messages were read. */
    private int $count = 0;

    /** @var array<int, array{mixed, mixed}> Key and reference of each message without an outcome, by its number. */
    private array $pending = [];

    /** @var ?array{int, UserEngageException} A pending message that was not accepted. */
    private ?array $refused = null;

    /** Whether the library's queue was made. */
    private bool $isMade = false;

    /** The process that pushes the messages. False if PHP does not tell. */
    private int|false $process = false;

    /** When the interrupt callback was asked, or the iteration began: in nanoseconds of hrtime(). */
    private int $looked = 0;

    /** Whether no more messages are to be read. */
    private bool $stopped = false;

    /** The first exception of the iterable, onResult, the interrupt callback or a signal handler. */
    private ?\Throwable $thrown = null;

    /**
     * Traces of kept exceptions keep the arguments of calls. So the messages are none of outcomes(), and go in close().
     *
     * @param ?Client $owner Closes $client when it is destroyed.
     * @param ?iterable<mixed, mixed> $messages
     * @param int $most How many messages may be pending.
     * @param (\Closure(int, Result|UserEngageException): mixed)|null $onResult
     */
    public function __construct(
        private ?Client $owner,
        private Handle $client,
        private ?Hooks $hooks,
        #[\SensitiveParameter]
        private ?iterable $messages,
        private int $most,
        private ?int $maxFailuresInARow,
        private ?\Closure $onResult,
    ) {
        $this->ffi = Native::ffi();
        $this->message = new NativeMessage();
        $this->result = new NativeResult();
        if (!self::$registered) {
            self::$registered = true;
            // Nobody takes the outcomes after exit() or a fatal error, and nothing else frees the queue then.
            register_shutdown_function(static fn () => array_map(self::free(...), array_keys(self::$pointers)));
        }
    }

    /**
     * Each turn reads one message, if there is room, and takes one outcome, if there is one. So the connections have
     * work, and an outcome is told before the next one is taken.
     *
     * @return \Generator<mixed, Result|UserEngageException>
     */
    public function outcomes(Unread $unread): \Generator
    {
        $unread->begun = true;
        $this->process = getmypid();
        $this->looked = hrtime(true);
        $reader = $this->reader();
        $isLeft = false;
        $held = Signals::hold();
        try {
            do {
                $isReading = $this->hasRoom() && $reader->valid();
                if ($isReading) {
                    $this->end(Signals::release(...), $held);
                    $this->read($reader);
                    $held = Signals::hold();
                    $this->push();
                }
                $finished = $this->take();
                if ($finished !== null) {
                    $this->end(Signals::release(...), $held);
                    $isLeft = true;
                    yield $finished[0] => $finished[1];
                    $isLeft = false;
                    $held = Signals::hold();
                } elseif (!$isReading && $this->pending !== []) {
                    $this->wait();
                }
            } while ($finished !== null || $isReading || $this->pending !== []);
        } finally {
            if ($isLeft) {
                $held = Signals::hold();
                $this->finishAll();
            }
            $this->close();
            $this->end(Signals::release(...), $held);
            if ($this->thrown !== null) {
                throw $this->thrown;
            }
        }
    }

    /**
     * Reads a message each time that it is resumed. It yields none: a generator keeps what it yielded last.
     *
     * @return \Generator<int, null>
     */
    private function reader(): \Generator
    {
        yield;
        foreach ($this->messages ?? [] as $key => $message) {
            if (!$message instanceof Message) {
                $given = get_debug_type($message);
                throw new \TypeError("messages holds $given: give UserEngage\Message objects");
            }
            $this->read = [$key, $message];
            unset($message);
            yield;
        }
    }

    /** Whether a message may be read. */
    private function hasRoom(): bool
    {
        return !$this->stopped && $this->refused === null && count($this->pending) < $this->most && !$this->isGone();
    }

    private function read(\Generator $reader): void
    {
        if ($this->stopped) {
            return;
        }
        try {
            $reader->next();
        } catch (\Throwable $thrown) {
            // The reader has ended. What was read is sent first, so that none is lost.
            $this->thrown ??= $thrown;
        }
    }

    /** Pushes the message that was read. */
    private function push(): void
    {
        if ($this->read === null) {
            return;
        }
        [$key, $message] = $this->read;
        $this->read = null;
        $number = $this->count++;
        $this->pending[$number] = [$key, $message->reference];
        if ($this->isGone()) {
            return;
        }
        try {
            $this->message->set(
                $message->clientUserId,
                $message->content,
                $message->user,
                $message->source,
                $message->sourceContext,
                $message->timeout,
            );
        } catch (InvalidArgumentException $exception) {
            $refusal = new InvalidArgumentException($exception->getMessage(), reference: $message->reference);
            $this->refused = [$number, $refusal];
            return;
        } catch (\Throwable $thrown) {
            // Of code of the caller that gives the context as JSON.
            unset($this->pending[$number]);
            $this->thrown ??= $thrown;
            $this->stopped = true;
            return;
        }
        if (!$this->accepts($number)) {
            $this->refused = [$number, $this->result->take($message->reference)];
        }
    }

    /** If not, the result says why. */
    private function accepts(int $number): bool
    {
        $queue = $this->pointer() ?? $this->make();
        if ($queue === null) {
            return false;
        }
        $this->message->setNumber($number + 1);
        $status = $this->ffi->ue_queue_push($queue, $this->message->pointer, $this->result->pointer);
        if ($status !== $this->ffi->UE_OK) {
            return false;
        }
        $this->result->free();
        return true;
    }

    /** Null if it cannot be made: the result then says why. */
    private function make(): ?FFI\CData
    {
        $options = Native::new('ue_queue_options');
        $options->struct_size = FFI::sizeof($options);
        $options->capacity = $this->most;
        $options->max_failures_in_a_row = $this->maxFailuresInARow ?? 0;
        $queue = $this->ffi->ue_queue_new($this->client->begin(), FFI::addr($options), $this->result->pointer);
        $this->client->end();
        if ($queue !== null) {
            $this->result->free();
            $this->isMade = true;
            self::$pointers[spl_object_id($this)] = $queue;
        }
        return $queue;
    }

    /**
     * Takes one outcome, and tells it to onResult.
     *
     * @return ?array{mixed, Result|UserEngageException} The message's key, and its outcome. Null: there is none yet.
     */
    private function take(): ?array
    {
        if ($this->isGone()) {
            return $this->lose();
        }
        if ($this->pending !== [] && hrtime(true) - $this->looked >= self::LOOK_EVERY * 1_000_000) {
            $this->look();
        }
        // Those in flight come first: else a series of refused messages would hold them up.
        if ($this->ffi->ue_queue_take($this->pointer(), $this->result->pointer, 1) !== 0) {
            $number = $this->result->number() - 1;
            return $this->tell($number, $this->result->take($this->pending[$number][1]));
        }
        if ($this->refused === null) {
            return null;
        }
        [$number, $outcome] = $this->refused;
        if ($outcome->isRetryable() && count($this->pending) > 1) {
            return null; // in its turn: those to one user may be sent again in the order in which they are told
        }
        $this->refused = null;
        return $this->tell($number, $outcome);
    }

    /** Begins no more, and tells onResult alone what became of the others: the iteration was left. */
    private function finishAll(): void
    {
        $this->stop();
        while ($this->pending !== []) {
            $this->take() ?? $this->wait();
        }
    }

    /** Does what the library does while it waits, for outcomes may come too fast for it to wait so long. */
    private function look(): void
    {
        $this->end(Signals::dispatch(...));
        if ($this->hooks !== null) {
            $this->mayCancel($this->hooks->interrupt(...));
        }
        $this->looked = hrtime(true);
    }

    /** Runs signal handlers, and waits until there is an outcome or a log line to take. */
    private function wait(): void
    {
        $this->end(Signals::dispatch(...));
        $this->mayCancel(function (): bool {
            $status = $this->ffi->ue_queue_poll($this->pointer(), self::LOOK_EVERY);
            if ($status === $this->ffi->UE_TIMEOUT) {
                $this->looked = hrtime(true); // the library has asked
            }
            return $status === $this->ffi->UE_CANCELLED;
        });
    }

    /** Makes a call that may ask the interrupt callback. It returns whether to end the messages in flight, too. */
    private function mayCancel(\Closure $call): void
    {
        $held = Hooks::begin();
        $isCancelled = $call();
        $this->end(Hooks::end(...), $held);
        if ($isCancelled) {
            $this->abort();
        }
    }

    /** Makes a call that throws what a handler or a callback threw. That ends the messages in flight, too. */
    private function end(\Closure $call, mixed ...$arguments): void
    {
        try {
            $call(...$arguments);
        } catch (\Throwable $thrown) {
            $this->thrown ??= $thrown;
            $this->abort();
        }
    }

    /** @return array{mixed, Result|UserEngageException} */
    private function tell(int $number, Result|UserEngageException $outcome): array
    {
        [$key] = $this->pending[$number];
        unset($this->pending[$number]);
        if ($outcome instanceof SuspendedException) {
            $this->stopped = true;
        }
        try {
            $flow = $this->onResult === null ? null : ($this->onResult)($number, $outcome);
            match ($flow) {
                null, BatchFlow::Continue => null,
                BatchFlow::Finish => $this->stop(),
                BatchFlow::Abort => $this->abort(),
                default => throw new \TypeError(
                    'onResult returned ' . get_debug_type($flow) . ': return a case of UserEngage\BatchFlow, or nothing'
                    . ' to go on',
                ),
            };
        } catch (\Throwable $thrown) {
            $this->thrown ??= $thrown;
            $this->onResult = null;
            $this->stop();
        }
        return [$key, $outcome];
    }

    /** Begins no more, and finishes the messages in flight. */
    private function stop(): void
    {
        $this->stopped = true;
        $this->ffi->ue_queue_stop($this->pointer());
    }

    /** Ends the messages in flight, too. */
    private function abort(): void
    {
        $this->stop();
        foreach ($this->pending as $number => $_) {
            $this->ffi->ue_queue_cancel($this->pointer(), $this->ffi->cast('void *', $number + 1));
        }
    }

    /** Whether a callback forked, and this is the child: its queue is empty. Or a fiber goes on after exit(). */
    private function isGone(): bool
    {
        return getmypid() !== $this->process || ($this->isMade && $this->pointer() === null);
    }

    /** @return ?array{mixed, UserEngageException} One outcome of a queue that is gone. */
    private function lose(): ?array
    {
        $number = array_key_first($this->pending);
        if ($number === null) {
            return null;
        }
        [$key, $reference] = $this->pending[$number];
        unset($this->pending[$number]);
        return [$key, new CancelledException(
            'The message was being sent when fork() copied this process, or when it called exit(). Whether the'
            . ' message was delivered is unknown. After fork() the parent gets the outcome.',
            delivery: Delivery::Unknown,
            reference: $reference,
            retry: Retry::Decide,
        )];
    }

    /** Frees the library's queue, and lets go of what the caller gave. */
    private function close(): void
    {
        $this->owner = $this->messages = $this->onResult = null;
        self::free(spl_object_id($this));
    }

    /** Null: not made yet, or freed. The library takes that, and does nothing. */
    private function pointer(): ?FFI\CData
    {
        return self::$pointers[spl_object_id($this)] ?? null;
    }

    private static function free(int $id): void
    {
        $pointer = self::$pointers[$id] ?? null;
        unset(self::$pointers[$id]);
        Native::ffi()->ue_queue_free($pointer);
    }
}
