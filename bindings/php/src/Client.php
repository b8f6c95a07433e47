<?php

declare(strict_types=1);

namespace UserEngage;

use FFI;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Internal\Batch;
use UserEngage\Internal\Call;
use UserEngage\Internal\Handle;
use UserEngage\Internal\Hooks;
use UserEngage\Internal\Native;
use UserEngage\Internal\NativeOptions;
use UserEngage\Internal\NativeResult;
use UserEngage\Internal\Progress;
use UserEngage\Internal\Signals;
use UserEngage\Internal\Unread;

/**
 * Sends conversation messages to UserEngage. Keep one and use it for many messages: its connections are used again.
 *
 * After pcntl_fork() the child may go on using it, on connections of its own.
 */
final class Client
{
    private FFI $ffi;
    private Handle $handle;

    /** Kept as long as the library may call it. */
    private ?Hooks $hooks = null;

    /**
     * Makes a client. Connects to nothing yet.
     *
     * @param string $apiKey The 64 characters from UserEngage's settings. It is shown nowhere.
     *
     * @throws InvalidArgumentException The key or an option cannot be used: the text names it and says why.
     * @throws Exception\LibraryException The shared library is not to be had, or PHP's FFI is off.
     */
    public function __construct(#[\SensitiveParameter] string $apiKey, ?Options $options = null)
    {
        $this->ffi = Native::ffi();
        $options ??= new Options();
        if ($options->logger !== null || $options->interrupt !== null) {
            $this->hooks = new Hooks($options);
        }
        $native = new NativeOptions($options, $this->hooks);
        $result = new NativeResult();
        $pointer = $this->ffi->ue_client_new(Native::text('api_key', $apiKey), $native->pointer(), $result->pointer);
        $outcome = $result->take();
        if ($outcome instanceof UserEngageException) {
            throw $outcome;
        }
        $this->handle = new Handle($pointer);
    }

    /**
     * Sends one message and waits for what becomes of it, at most the timeout of the options.
     *
     * @param int|string $clientUserId Who gets the message.
     * @param string $content Text or HTML.
     * @param ?int $user The agent who writes. Defaults to none given.
     * @param Source|int|null $source The channel. Defaults to none given.
     * @param array<mixed>|object|null $sourceContext Additional fields, written as json_encode writes them: an empty
     *     array is [], an empty object is new stdClass. Defaults to none given.
     *
     * @return Result The message was delivered.
     * @throws UserEngageException Everything else, one class for each kind of failure. Its $delivery tells whether it
     *     is safe to send the message again.
     * @throws \Throwable What the interrupt callback or a signal's handler threw, with the outcome as its last previous
     *     exception.
     */
    public function sendConversation(
        int|string $clientUserId,
        #[\SensitiveParameter]
        string $content,
        ?int $user = null,
        Source|int|null $source = null,
        #[\SensitiveParameter]
        array|object|null $sourceContext = null,
    ): Result {
        // What is sent from a callback or a signal's handler meanwhile takes another one.
        $call = Call::$spare ?? new Call();
        Call::$spare = null;
        $call->message->set($clientUserId, $content, $user, $source, $sourceContext);
        // Without callbacks, what is thrown in the end is a signal's handler's alone.
        $held = $this->hooks === null ? Signals::hold() : Hooks::begin();
        $this->ffi->ue_send_conversation($this->handle->begin(), $call->message->pointer, $call->result->pointer);
        $this->handle->end();
        $outcome = $call->result->take();
        Call::$spare = $call;
        try {
            if ($outcome instanceof UserEngageException) {
                throw $outcome;
            }
            return $outcome;
        } finally {
            $this->hooks === null ? Signals::release($held) : Hooks::end($held);
        }
    }

    /**
     * Sends many messages, at most maxConnections at once, while what it returns is iterated over:
     *
     *     foreach ($client->sendConversations($messages) as $key => $outcome) {
     *         $outcome->delivery === Delivery::Delivered || $review->add($key, $outcome);
     *     }
     *
     * Reads $step messages, sends them, waits for all, gives out what became of each, and reads on; so a generator may
     * make any number of them. Those to one clientUserId keep their order, also where an earlier one fails. Where the
     * iteration is left early, no more are read. The timeout counts for each message from its turn on, and not while it
     * waits for one: a slow rate or a long pause makes the sending long, but fails no message.
     *
     * @template K
     * @param iterable<K, Message> $messages
     * @param (callable(int, ?int): mixed)|null $progress Told after each message how many are done, and how many there
     *     are where $messages can be counted. True ends the sending: what is under way ends, the rest of the step was
     *     not delivered, and no more are read. What it throws does the same. With pcntl_async_signals(true) signals'
     *     handlers run then, and may throw likewise. Defaults to none.
     * @param int $step How many messages are in memory at a time. With more, the connections idle less at the end of
     *     each step; with fewer, outcomes come sooner. Defaults to 250.
     *
     * @return \Generator<K, Result|UserEngageException> What became of each message, by its key and in their order. No
     *     message's failure is thrown: it is the message's outcome. To be iterated over once.
     * @throws InvalidArgumentException The step is none.
     * @throws \Throwable In the iteration: what the iterable, a callback or a signal's handler threw, after the outcome
     *     of every message that was read; a TypeError where something else than a Message was read.
     */
    public function sendConversations(
        #[\SensitiveParameter]
        iterable $messages,
        ?callable $progress = null,
        int $step = 250,
    ): \Generator {
        if ($step < 1) {
            throw new InvalidArgumentException("step is $step: give 1 or more, or leave it out for the default");
        }
        $count = is_countable($messages) ? count($messages) : null;
        $progress = $progress === null ? null : new Progress($progress(...), $count);
        return $this->outcomes(Batch::of($messages, $step), $progress, new Unread());
    }

    /**
     * @param iterable<Batch> $batches
     * @return \Generator<mixed, Result|UserEngageException>
     */
    private function outcomes(iterable $batches, ?Progress $progress, Unread $unread): \Generator
    {
        $unread->begun = true;
        // It holds on to $this, so that the client outlives a call that a callback left half-way.
        $call = function (FFI\CData $messages, int $count, FFI\CData $results) use ($progress): void {
            [$function, $userData] = [$progress?->function(), $progress?->userData()];
            $client = $this->handle->begin();
            $this->ffi->ue_send_conversations($client, $messages, $count, $function, $userData, $results);
            $this->handle->end();
        };
        foreach ($batches as $batch) {
            $thrown = $batch->send($call);
            $progress?->advance($batch->count());
            try {
                yield from $batch->outcomes();
            } finally {
                if ($thrown !== null) {
                    throw $thrown;
                }
            }
            if ($batch->wasCancelled() || $progress?->hasStopped() === true) {
                return;
            }
        }
    }

    /** Closes the connections; every later call throws a ClosedException. May be called any number of times. */
    public function close(): void
    {
        $this->ffi->ue_client_close($this->handle->begin());
        $this->handle->end();
    }

    public function __destruct()
    {
        $this->handle->free();
    }

    private function __clone()
    {
    }

    /** @return array<string, mixed> */
    public function __serialize(): array
    {
        throw new \LogicException(self::class . ' cannot be serialized: make a new one where it is needed');
    }

    /**
     * What var_dump shows: nothing, so that no key can.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        return [];
    }
}
