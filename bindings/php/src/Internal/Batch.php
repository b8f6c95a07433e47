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
 * The messages of one ue_send_conversations call.
 *
 * @internal
 */
final class Batch
{
    /** @var list<mixed> */
    private array $keys = [];

    /** @var array<int, NativeMessage|InvalidArgumentException> */
    private array $messages = [];

    /** One ue_result * for each message. NULL once it is freed. */
    private FFI\CData $results;

    private bool $cancelled = false;

    /**
     * Reads the messages in batches of at most $step, and yields each batch when it is full. An exception from
     * $messages is thrown after the last batch, so that no message that was read is lost.
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

    /** Frees the results that outcomes() has not yielded. */
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
     * Sends all messages and waits for their results.
     *
     * @param \Closure(FFI\CData, int, FFI\CData): void $call Makes the call. It takes the ue_message *, the
     *     count and the ue_result **.
     * @return ?\Throwable The exception of a callback or a signal handler.
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
                // An empty message: the library refuses it in its turn, so that the progress counts it.
                $messages[$index]->struct_size = FFI::sizeof($messages[$index]);
            }
        }
        $held = Hooks::begin();
        FiberCall::run(static fn () => $call(FFI::addr($messages[0]), $count, FFI::addr($results[0])));
        try {
            Hooks::end($held);
            return null;
        } catch (\Throwable $thrown) {
            return $thrown;
        }
    }

    /**
     * Yields the outcome of each message, by its key and in the order of the messages. Frees each result first.
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
            // Forget the result before it is freed: a signal handler may throw at any call, and must not lead to a
            // second free.
            $this->results[$index] = null;
            $ffi->ue_result_free($result);
            unset($this->messages[$index], $message);
            yield $key => $outcome;
        }
    }

    /** Whether a callback ended the batch, judged by the outcomes yielded so far. */
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
