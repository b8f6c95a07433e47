<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\BatchFlow;
use UserEngage\Delivery;
use UserEngage\Exception\CancelledException;
use UserEngage\Exception\SuspendedException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Result;
use UserEngage\Retry;

/**
 * The ue_queue of one sendConversations(). Messages are copied into it, a thread of the library sends them, and
 * finished ones are taken from it.
 *
 * onResult and signal handlers run as plain PHP code between two calls of the library. So they may throw, suspend a
 * fiber, send, fork, or call exit(): the thread reads nothing that PHP owns.
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
    private NativeResult $result;

    /** What is being sent. Not an argument of the methods below, because the traces of kept exceptions would keep it. */
    private Batch $batch;

    /** @var array<int, true> The numbers of the messages in the queue. */
    private array $pending = [];

    /** How many messages were in the batches before this one. */
    private int $before = 0;

    /** The process that pushed the messages. False if PHP does not tell. */
    private int|false $process = false;

    /** When the interrupt callback was asked, or the batch began: in nanoseconds of hrtime(). */
    private int $looked = 0;

    private bool $stopped = false;

    /** The first exception of onResult, the interrupt callback or a signal handler, during this batch. */
    private ?\Throwable $thrown = null;

    /** @param (\Closure(int, Result|UserEngageException): mixed)|null $onResult */
    public function __construct(
        private Handle $client,
        private ?Hooks $hooks,
        private int $capacity,
        private ?int $maxFailuresInARow,
        private ?\Closure $onResult,
    ) {
        $this->ffi = Native::ffi();
        $this->result = new NativeResult();
        if (!self::$registered) {
            self::$registered = true;
            // Nobody takes the outcomes after exit() or a fatal error, and nothing else frees the queue then.
            register_shutdown_function(static fn () => array_map(self::free(...), array_keys(self::$pointers)));
        }
    }

    /** Sets what send() is to send. */
    public function load(Batch $batch): void
    {
        $this->batch = $batch;
    }

    /**
     * Sends the messages of the batch, and waits until each has its outcome.
     *
     * @return ?\Throwable The exception of onResult, the interrupt callback or a signal handler.
     */
    public function send(): ?\Throwable
    {
        $this->thrown = null;
        $this->process = getmypid();
        $this->looked = hrtime(true);
        $held = Signals::hold();
        try {
            $this->push();
            $this->empty();
            $this->before += $this->batch->count();
        } finally {
            $this->end(static fn () => Signals::release($held));
            $this->batch = new Batch();
        }
        return $this->thrown;
    }

    /** Whether no more messages are to be read. */
    public function hasStopped(): bool
    {
        return $this->stopped;
    }

    /** Frees the library's queue. A destructor would be too late: the traces of kept exceptions keep this object. */
    public function close(): void
    {
        self::free(spl_object_id($this));
    }

    private function push(): void
    {
        $refused = [];
        foreach ($this->batch->messages() as $number => $message) {
            if (!$message instanceof NativeMessage) {
                $refused[$number] = $message;
            } elseif ($this->accepts($number, $message)) {
                $this->pending[$number] = true;
            } else {
                $refused[$number] = $this->result->take($this->batch->reference($number));
            }
        }
        foreach ($refused as $number => $outcome) {
            $this->finish($number, $outcome);
        }
    }

    /** If not, the result says why. */
    private function accepts(int $number, NativeMessage $message): bool
    {
        $queue = $this->pointer() ?? $this->make();
        if ($queue === null) {
            return false;
        }
        $message->setNumber($number + 1);
        $status = $this->ffi->ue_queue_push($queue, $message->pointer, $this->result->pointer);
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
        $options->capacity = min($this->capacity, 0xffffffff);
        $options->max_failures_in_a_row = $this->maxFailuresInARow ?? 0;
        $queue = $this->ffi->ue_queue_new($this->client->begin(), FFI::addr($options), $this->result->pointer);
        $this->client->end();
        if ($queue !== null) {
            $this->result->free();
            self::$pointers[spl_object_id($this)] = $queue;
        }
        return $queue;
    }

    /** Takes the outcomes as they come. */
    private function empty(): void
    {
        while ($this->pending !== []) {
            if (hrtime(true) - $this->looked >= self::LOOK_EVERY * 1_000_000) {
                $this->look();
            }
            if ($this->take()) {
                continue;
            }
            if (getmypid() !== $this->process || $this->pointer() === null) {
                $this->giveUp();
                return;
            }
            $this->wait();
        }
    }

    private function take(): bool
    {
        if ($this->ffi->ue_queue_take($this->pointer(), $this->result->pointer, 1) === 0) {
            return false;
        }
        $number = $this->result->number() - 1;
        unset($this->pending[$number]);
        $this->finish($number, $this->result->take($this->batch->reference($number)));
        return true;
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
        $this->end(static fn () => Hooks::end($held));
        if ($isCancelled) {
            $this->abort();
        }
    }

    /** Makes a call that throws what a handler or a callback threw. That ends the messages in flight, too. */
    private function end(\Closure $call): void
    {
        try {
            $call();
        } catch (\Throwable $thrown) {
            $this->thrown ??= $thrown;
            $this->abort();
        }
    }

    private function finish(int $number, Result|UserEngageException $outcome): void
    {
        $this->batch->finish($number, $outcome);
        if ($outcome instanceof SuspendedException) {
            $this->stopped = true;
        }
        try {
            match ($this->onResult === null ? null : ($this->onResult)($this->before + $number, $outcome)) {
                BatchFlow::Finish => $this->stop(),
                BatchFlow::Abort => $this->abort(),
                default => null,
            };
        } catch (\Throwable $thrown) {
            $this->thrown ??= $thrown;
            $this->onResult = null;
            $this->stop();
        }
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

    /** A callback forked, and this is the child: its queue is empty. Or a fiber goes on after exit(). */
    private function giveUp(): void
    {
        $this->stopped = true;
        foreach ($this->pending as $number => $_) {
            $this->batch->finish($number, new CancelledException(
                'The message was being sent when fork() copied this process, or when it called exit(). Whether the'
                . ' message was delivered is unknown. After fork() the parent gets the outcome.',
                delivery: Delivery::Unknown,
                reference: $this->batch->reference($number),
                retry: Retry::Decide,
            ));
        }
        $this->pending = [];
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
