<?php

declare(strict_types=1);

namespace UserEngage;

use FFI;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Internal\Call;
use UserEngage\Internal\Handle;
use UserEngage\Internal\Hooks;
use UserEngage\Internal\Native;
use UserEngage\Internal\NativeOptions;
use UserEngage\Internal\NativeResult;
use UserEngage\Internal\Queue;
use UserEngage\Internal\Signals;
use UserEngage\Internal\Unread;

/**
 * Sends conversation messages to UserEngage. Keep one and use it for many messages: its connections are used again.
 *
 * After pcntl_fork() the child may go on using it, on connections of its own.
 */
final class Client
{
    /** The default of the option. */
    private const MAX_CONNECTIONS = 8;

    private FFI $ffi;
    private Handle $handle;

    /** Must live as long as the library may call it. */
    private ?Hooks $hooks = null;

    private int $maxConnections;

    /**
     * Makes a client. Connects to nothing yet.
     *
     * @param ?string $apiKey The 64 characters from UserEngage's settings. No exception, log line or dump shows it.
     *     Defaults to the environment variable UE_API_KEY, as getenv() knows it.
     *
     * @throws InvalidArgumentException The key or an option cannot be used: the text names it and says why.
     * @throws Exception\LibraryException The shared library was not found, or PHP's FFI is off.
     */
    public function __construct(#[\SensitiveParameter] ?string $apiKey = null, ?Options $options = null)
    {
        $apiKey ??= getenv('UE_API_KEY');
        if ($apiKey === false) {
            throw new InvalidArgumentException(
                'api_key is missing: give it, or set the environment variable UE_API_KEY',
            );
        }
        $this->ffi = Native::ffi();
        $options ??= new Options();
        $this->maxConnections = $options->maxConnections ?? self::MAX_CONNECTIONS;
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
     * Sends one message and waits for its outcome, at most the timeout.
     *
     * @param int|string $clientUserId Who gets the message. A float or a bool is refused: PHP would convert it.
     * @param string $content Text or HTML.
     * @param ?int $user The agent who writes. Defaults to none given.
     * @param Source|int|null $source The channel. Defaults to none given.
     * @param array<mixed>|object|null $sourceContext Additional fields, written as json_encode writes them: an empty
     *     array is [], an empty object is new stdClass. Defaults to none given.
     * @param ?float $timeout Seconds for this message, every attempt and wait included. Defaults to the timeout of the
     *     options.
     *
     * @return Result The message was delivered.
     * @throws UserEngageException Everything else, one class for each kind of failure. Its $retry tells whether it can
     *     help to send the message again; if so, it is a RetryableException.
     * @throws \Throwable The exception of the interrupt callback or of a signal handler. Its last previous exception is
     *     the outcome.
     */
    public function sendConversation(
        int|string|float|bool $clientUserId,
        #[\SensitiveParameter]
        string $content,
        ?int $user = null,
        Source|int|null $source = null,
        #[\SensitiveParameter]
        array|object|null $sourceContext = null,
        ?float $timeout = null,
    ): Result {
        // Take the spare one out: a callback or a signal handler may send meanwhile, and then needs another.
        $call = Call::$spare ?? new Call();
        Call::$spare = null;
        $call->message->set($clientUserId, $content, $user, $source, $sourceContext, $timeout);
        // Without callbacks, only signal handlers can throw at the end.
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
     * Sends many messages, at most maxConnections at once. It sends while you iterate over the generator:
     *
     *     foreach ($client->sendConversations($messages, maxFailuresInARow: 10) as $key => $outcome) {
     *         match (true) {
     *             $outcome->delivery === Delivery::Delivered => $done->add($key),
     *             $outcome->isRetryable() => $again->add($key),
     *             default => $review->add($key, $outcome),
     *         };
     *     }
     *
     * Yields each outcome as soon as it is known, with the key of its message: so in any order. It reads a message when
     * there is room for it, so a generator may produce any number. At most maxConnections + max(maxConnections, 8)
     * messages (16 by default) are begun or waiting whose outcome was not yielded: so many a program may have sent
     * without knowing it, if it is killed.
     *
     * Messages to one clientUserId keep their order, even if an earlier one fails. The timeout of a message starts when
     * its turn comes: a low rate limit or a long pause makes the batch slow, but fails no message. If you leave the
     * loop early, the messages in flight are finished, which only onResult learns, and no more are begun or read.
     *
     * @template K
     * @param iterable<K, Message> $messages
     * @param (callable(int, Result|UserEngageException): ?BatchFlow)|null $onResult Told each outcome before it is
     *     yielded: the number of the message, from 0 on, and its outcome, which has the $reference of the message. It
     *     is also told those that are not yielded because the loop was left. To return BatchFlow::Finish or
     *     BatchFlow::Abort is to begin and read no more; to return nothing is to go on. If it throws, that is a Finish,
     *     and it is not called again; so if it returns anything else. It may send, suspend a fiber, fork, or call
     *     exit(). Defaults to none.
     * @param ?int $maxFailuresInARow After so many failures in a row that are no fault of a message (unknown, no
     *     connection, 401, 403, 429, 5xx) no more are begun or read: those that were read are not delivered, each with
     *     a SuspendedException. So an outage makes few unknown messages: at most so many or maxConnections, whichever
     *     is more, for so many may be in flight. Defaults to no limit.
     *
     * @return \Generator<K, Result|UserEngageException> The outcome of each message, by its key. A failure is not
     *     thrown: it is yielded as the outcome. Iterate over it once.
     * @throws InvalidArgumentException $maxFailuresInARow is less than 1.
     * @throws \Throwable In the iteration, after the outcome of every message that was read: the exception of the
     *     iterable, a callback or a signal handler; a TypeError if $messages holds anything but Message objects, or
     *     onResult returns anything but a BatchFlow or null.
     */
    public function sendConversations(
        #[\SensitiveParameter]
        iterable $messages,
        ?callable $onResult = null,
        ?int $maxFailuresInARow = null,
    ): \Generator {
        if ($maxFailuresInARow !== null) {
            Native::count('maxFailuresInARow', $maxFailuresInARow);
        }
        $queue = new Queue(
            $this,
            $this->handle,
            $this->hooks,
            $messages,
            $this->maxConnections + max($this->maxConnections, 8),
            $maxFailuresInARow,
            $onResult === null ? null : $onResult(...),
        );
        return $queue->outcomes(new Unread());
    }

    /** Closes the connections. Every later call throws a ClosedException. Closing twice does no harm. */
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
     * var_dump shows nothing, so that it cannot show the key.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        return [];
    }
}
