<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Message;
use UserEngage\Result;

/**
 * The messages that are in memory at a time, and their outcomes.
 *
 * @internal
 */
final class Batch
{
    /** @var array<int, array{mixed, Message, NativeMessage|InvalidArgumentException|null}> By key, message, what C reads. */
    private array $entries = [];

    /** @var array<int, Result|UserEngageException> */
    private array $outcomes = [];

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

    public function count(): int
    {
        return count($this->entries);
    }

    /**
     * Gives each message once, in the form that C reads, by its number in the batch, from 0 on. An exception: why it
     * cannot be sent.
     *
     * @return \Generator<int, NativeMessage|InvalidArgumentException>
     */
    public function messages(): \Generator
    {
        foreach ($this->entries as $number => [, , $message]) {
            $this->entries[$number][2] = null;
            if ($message !== null) {
                yield $number => $message;
            }
        }
    }

    public function reference(int $number): mixed
    {
        return $this->entries[$number][1]->reference;
    }

    public function finish(int $number, Result|UserEngageException $outcome): void
    {
        $this->outcomes[$number] = $outcome;
    }

    /**
     * Yields the outcome of each message, by its key and in the order of the messages. Empties the batch: the trace of
     * a kept exception keeps the generator of the batches, and a finished generator keeps what it yielded last.
     *
     * @return \Generator<mixed, Result|UserEngageException>
     */
    public function outcomes(): \Generator
    {
        [$entries, $outcomes] = [$this->entries, $this->outcomes];
        $this->entries = $this->outcomes = [];
        foreach ($entries as $number => [$key]) {
            $outcome = $outcomes[$number];
            unset($outcomes[$number]);
            yield $key => $outcome;
        }
    }

    private function add(mixed $key, Message $message): void
    {
        try {
            $native = new NativeMessage();
            $native->set(
                $message->clientUserId,
                $message->content,
                $message->user,
                $message->source,
                $message->sourceContext,
                $message->timeout,
            );
        } catch (InvalidArgumentException $exception) {
            $native = new InvalidArgumentException($exception->getMessage(), reference: $message->reference);
        }
        $this->entries[] = [$key, $message, $native];
    }
}
