<?php

declare(strict_types=1);

namespace UserEngage;

/**
 * One of the messages that Client::sendConversations() sends. Its values are checked when it is sent.
 *
 *     new Message(42, 'Hi <b>user</b>!', source: Source::Email)
 */
final class Message
{
    /**
     * @param int|string $clientUserId Who gets the message. A float or a bool is refused: PHP would convert it.
     * @param string $content Text or HTML.
     * @param ?int $user The agent who writes. Defaults to none given.
     * @param Source|int|null $source The channel. Defaults to none given.
     * @param array<mixed>|object|null $sourceContext Additional fields, written as json_encode writes them: an empty
     *     array is [], an empty object is new stdClass. Defaults to none given.
     * @param ?float $timeout Seconds for this message, from its turn on. Defaults to the timeout of the options.
     * @param mixed $reference Anything of yours, which the outcome has as its $reference. Not sent. Defaults to null.
     */
    public function __construct(
        public readonly int|string|float|bool $clientUserId,
        #[\SensitiveParameter]
        public readonly string $content,
        public readonly ?int $user = null,
        public readonly Source|int|null $source = null,
        #[\SensitiveParameter]
        public readonly array|object|null $sourceContext = null,
        public readonly ?float $timeout = null,
        #[\SensitiveParameter]
        public readonly mixed $reference = null,
    ) {
    }

    /**
     * What var_dump shows: all but the content, what comes with it, and the reference.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        return [
            'clientUserId' => $this->clientUserId,
            'user' => $this->user,
            'source' => $this->source,
            'timeout' => $this->timeout,
        ];
    }
}
