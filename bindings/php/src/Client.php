<?php

declare(strict_types=1);

namespace UserEngage;

use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Internal\Handle;
use UserEngage\Internal\Hooks;
use UserEngage\Internal\Native;
use UserEngage\Internal\NativeMessage;
use UserEngage\Internal\NativeOptions;
use UserEngage\Internal\NativeResult;

/**
 * Sends conversation messages to UserEngage. Keep one and use it for many messages: its connections are used again.
 *
 * After pcntl_fork() the child may go on using it, on connections of its own.
 */
final class Client
{
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
        $ffi = Native::ffi();
        $options ??= new Options();
        if ($options->logger !== null || $options->interrupt !== null) {
            $this->hooks = new Hooks($options);
        }
        $native = new NativeOptions($options, $this->hooks);
        $result = new NativeResult();
        $pointer = $ffi->ue_client_new(Native::text('api_key', $apiKey), $native->pointer(), $result->out());
        $result->throwUnlessOk();
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
        $message = new NativeMessage($clientUserId, $content, $user, $source, $sourceContext);
        $result = new NativeResult();
        $held = Hooks::begin();
        Native::ffi()->ue_send_conversation($this->handle->begin(), $message->pointer(), $result->out());
        $this->handle->end();
        try {
            $result->throwUnlessOk();
        } finally {
            Hooks::end($held);
        }
        return $result->toResult();
    }

    /** Closes the connections; every later call throws a ClosedException. May be called any number of times. */
    public function close(): void
    {
        Native::ffi()->ue_client_close($this->handle->begin());
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
