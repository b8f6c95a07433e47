<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Exception\CancelledException;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Message;
use UserEngage\Result;

/**
 * Messages that are sent with one call of the library.
 *
 * @internal
 */
final class Batch
{
    /** @var list<mixed> */
    private array $keys = [];

    /** @var array<int, NativeMessage|InvalidArgumentException> */
    private array $messages = [];

    /** As many ue_result *, each NULL when it is freed. */
    private FFI\CData $results;

    private bool $cancelled = false;

    /**
     * The messages in batches of at most $step. Reads those of one batch before it gives that out. What the reading
     * throws is thrown after the last batch, so that nothing that was read is lost.
     *
     * @param iterable<mixed, mixed> $messages
     * @return \Generator<int, self>
     */
    public static function of(#[\SensitiveParameter] iterable $messages, int $step): \Generator
    {
        $batch = new self();
        $thrown = null;
        try {
            foreach ($messages as $key => $message) {
                if (!$message instanceof Message) {
                    $given = get_debug_type($message);
                    throw new \TypeError("messages holds $given: give UserEngage\Message objects");
                }
                $batch->add($key, $message);
                if ($batch->count() === $step) {
                    yield $batch;
                    $batch = new self();
                }
            }
        } catch (\Throwable $thrown) {
            // Thrown below.
        }
        if ($batch->count() > 0) {
            yield $batch;
        }
        if ($thrown !== null) {
            throw $thrown;
        }
    }

    /** Frees the results that were not given out. */
    public function __destruct()
    {
        if (isset($this->results)) {
            foreach ($this->messages as $index => $_) {
                Native::ffi()->ue_result_free($this->results[$index]);
            }
        }
    }

    public function count(): int
    {
        return count($this->messages);
    }

    /**
     * Sends all, and waits for what becomes of them.
     *
     * @param \Closure(FFI\CData, int, FFI\CData): void $call The call: ue_message *, how many, and ue_result **.
     * @return ?\Throwable What a callback or a signal's handler threw.
     */
    public function send(\Closure $call): ?\Throwable
    {
        $count = $this->count();
        $messages = Native::array('ue_message', $count);
        $results = $this->results = Native::array('ue_result *', $count);
        foreach ($this->messages as $index => $message) {
            if ($message instanceof NativeMessage) {
                $messages[$index] = $message->pointer[0];
            } else {
                // The library refuses it on its turn, so that it counts.
                $messages[$index]->struct_size = FFI::sizeof($messages[$index]);
            }
        }
        $held = Hooks::begin();
        Excursion::run(static fn () => $call(FFI::addr($messages[0]), $count, FFI::addr($results[0])));
        try {
            Hooks::end($held);
            return null;
        } catch (\Throwable $thrown) {
            return $thrown;
        }
    }

    /**
     * What became of each message, by its key and in their order. Each is freed when it was given out.
     *
     * @return \Generator<mixed, Result|UserEngageException>
     */
    public function outcomes(): \Generator
    {
        $ffi = Native::ffi();
        $reader = new NativeResult();
        foreach ($this->keys as $index => $key) {
            $message = $this->messages[$index];
            $result = $this->results[$index];
            $outcome = $message instanceof NativeMessage ? $reader->read($result) : $message;
            $this->cancelled = $this->cancelled || $outcome instanceof CancelledException;
            // In this order, and with nothing in between: a signal's handler may throw at any call.
            $this->results[$index] = null;
            $ffi->ue_result_free($result);
            unset($this->messages[$index], $message);
            yield $key => $outcome;
        }
    }

    /** Whether a callback ended it, as far as the outcomes were given out. */
    public function wasCancelled(): bool
    {
        return $this->cancelled;
    }

    private function add(mixed $key, Message $message): void
    {
        $this->keys[] = $key;
        try {
            $native = new NativeMessage();
            $native->set(
                $message->clientUserId,
                $message->content,
                $message->user,
                $message->source,
                $message->sourceContext,
            );
            $this->messages[] = $native;
        } catch (InvalidArgumentException $exception) {
            $this->messages[] = $exception;
        }
    }
}
