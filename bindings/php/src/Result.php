<?php

declare(strict_types=1);

namespace UserEngage;

/** The result for a delivered message. A message that was not delivered throws instead. */
final class Result
{
    /** @internal The client makes these. */
    public function __construct(
        /** The HTTP status of the answer: 200 to 299. */
        public readonly int $httpStatus,
        /** The conversation's id, which API version 2 gives. Null: not given. */
        public readonly ?int $conversationId,
        /** The id under which the service knows the request (Cf-Ray). Null: not given. */
        public readonly ?string $requestId,
        /** How many requests were made. */
        public readonly int $attempts,
        /** How long the call took, in seconds, every attempt and wait included. */
        public readonly float $elapsed,
        /** Whether the customer may see the message twice, which only DeliveryPolicy::AtLeastOnce risks. */
        public readonly bool $mayBeDuplicate,
        /** The body of the answer as it came, at most 64 KiB of it. It may quote the message: keep it out of logs. */
        public readonly string $body,
        /** Always Delivered. Results and exceptions share this property. */
        public readonly Delivery $delivery = Delivery::Delivered,
        /** Always Never: it is delivered. Results and exceptions share this property. */
        public readonly Retry $retry = Retry::Never,
        /** The reference of the Message. Null: it has none. */
        public readonly mixed $reference = null,
    ) {
    }

    /** Always false. Results and exceptions share this method. */
    public function isRetryable(): bool
    {
        return $this->retry === Retry::Later;
    }
}
