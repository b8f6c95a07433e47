<?php

declare(strict_types=1);

namespace UserEngage\Exception;

use UserEngage\Delivery;
use UserEngage\Retry;

/**
 * A message was not delivered, or it is unknown whether it was. Its text is one line for a person: what happened, what
 * is known of the message, what to do. getCode() is its ue_status of include/userengage.h.
 */
class UserEngageException extends \RuntimeException
{
    /** The class for each ue_status. */
    private const CLASSES = [
        1 => InvalidArgumentException::class,
        2 => ConnectException::class,
        3 => TlsException::class,
        4 => TimeoutException::class,
        5 => ConnectionLostException::class,
        6 => BadReplyException::class,
        7 => UnauthorizedException::class,
        8 => NotFoundException::class,
        9 => RejectedException::class,
        10 => RateLimitedException::class,
        11 => ServerErrorException::class,
        12 => ClosedException::class,
        13 => CancelledException::class,
        14 => InternalException::class,
        15 => QueueFullException::class,
        16 => SuspendedException::class,
    ];

    /** Whether sending the message again can help. If it is Retry::Later, the exception is a RetryableException. */
    public readonly Retry $retry;

    /** @internal The client makes these. */
    final public function __construct(
        string $message,
        ?int $status = null,
        ?\Throwable $previous = null,
        /** What is known about the delivery. If it is Delivery::Unknown, the customer may see the message twice when it
         *  is sent again. */
        public readonly Delivery $delivery = Delivery::NotDelivered,
        /** The HTTP status of the last answer. Null: no answer came. */
        public readonly ?int $httpStatus = null,
        /** How many seconds to wait before the message is sent again. Null: not given. */
        public readonly ?float $retryAfter = null,
        /** The id under which the service knows the request (Cf-Ray). Null: not given. */
        public readonly ?string $requestId = null,
        /** How many requests were made. */
        public readonly int $attempts = 0,
        /** How long the call took, in seconds, every attempt and wait included. */
        public readonly float $elapsed = 0.0,
        /** The service's own words, in one line. Null: it gave none. */
        public readonly ?string $detail = null,
        /** The body of the last answer as it came, at most 64 KiB. It may quote the message: keep it out of logs. */
        public readonly string $body = '',
        /** The reference of the Message. Null: it has none, or it was not sent with sendConversations(). */
        public readonly mixed $reference = null,
        ?Retry $retry = null,
    ) {
        $this->retry = $retry ?? ($this instanceof RetryableException ? Retry::Later : Retry::Never);
        parent::__construct($message, $status ?? (int) array_search(static::class, self::CLASSES, true), $previous);
    }

    /** Whether sending the message again later is safe, and can help. */
    public function isRetryable(): bool
    {
        return $this->retry === Retry::Later;
    }

    /**
     * The class for a ue_status, a RetryableException for Retry::Later. This base class, or its own RetryableException,
     * for a status of a newer library.
     *
     * @internal
     * @return class-string<UserEngageException>
     */
    public static function classOf(int $status, Retry $retry): string
    {
        $class = self::CLASSES[$status] ?? self::class;
        if ($retry !== Retry::Later || is_subclass_of($class, RetryableException::class)) {
            return $class;
        }
        /** @var class-string<UserEngageException> */
        return str_replace(__NAMESPACE__, __NAMESPACE__ . '\\Retryable', $class);
    }
}
