<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Delivery;
use UserEngage\Exception\UserEngageException;
use UserEngage\Result;
use UserEngage\Retry;

use function strlen;

/**
 * Receives a ue_result and reads it. Reused for one call after another.
 *
 * @internal
 */
final class NativeResult
{
    /** The ue_result ** for a call. Valid as long as this object. */
    public readonly FFI\CData $pointer;

    private FFI $ffi;
    private FFI\CData $result;

    /** A ue_outcome, and its address. */
    private FFI\CData $outcome;
    private FFI\CData $outcomePointer;

    public function __construct()
    {
        $this->ffi = Native::ffi();
        $this->result = Native::new('ue_result *');
        $this->pointer = FFI::addr($this->result);
        $this->outcome = Native::new('ue_outcome');
        $this->outcome->struct_size = FFI::sizeof($this->outcome);
        $this->outcomePointer = FFI::addr($this->outcome);
    }

    /**
     * Reads the result of a call and frees it. Call it once after each call. Returns the exception of a failure, and
     * does not throw it.
     */
    public function take(#[\SensitiveParameter] mixed $reference = null): Result|UserEngageException
    {
        $this->ffi->ue_result_read($this->result, $this->outcomePointer);
        $isDelivered = $this->outcome->status === $this->ffi->UE_OK;
        $outcome = $isDelivered ? $this->result($reference) : $this->exception($reference);
        $this->free();
        return $outcome;
    }

    /** Frees the result of a call that is not read. */
    public function free(): void
    {
        $this->ffi->ue_result_free($this->result);
    }

    /** The number of the message, which NativeMessage::setNumber() has set. */
    public function number(): int
    {
        $userData = $this->ffi->ue_result_user_data($this->result);
        return $this->ffi->cast('intptr_t *', FFI::addr($userData))[0];
    }

    private function result(#[\SensitiveParameter] mixed $reference): Result
    {
        $outcome = $this->outcome;
        $conversationId = $outcome->conversation_id;
        return new Result(
            httpStatus: $outcome->http_status,
            conversationId: $conversationId === -1 ? null : $conversationId,
            requestId: $outcome->request_id ?: null,
            attempts: $outcome->attempts,
            elapsed: $outcome->elapsed_us / 1e6,
            mayBeDuplicate: $outcome->may_be_duplicate,
            body: $this->body(),
            delivery: Delivery::Delivered,
            reference: $reference,
        );
    }

    private function exception(#[\SensitiveParameter] mixed $reference): UserEngageException
    {
        $outcome = $this->outcome;
        $retry = Retry::tryFrom($outcome->retry) ?? Retry::Decide;
        $class = UserEngageException::classOf($outcome->status, $retry);
        $retryAfter = $outcome->retry_after_ms;
        return new $class(
            message: $outcome->message,
            status: $outcome->status,
            delivery: Delivery::tryFrom($outcome->delivery) ?? Delivery::Unknown,
            httpStatus: $outcome->http_status ?: null,
            retryAfter: $retryAfter === -1 ? null : $retryAfter / 1e3,
            requestId: $outcome->request_id ?: null,
            attempts: $outcome->attempts,
            elapsed: $outcome->elapsed_us / 1e6,
            detail: $outcome->detail ?: null,
            body: $this->body(),
            reference: $reference,
            retry: $retry,
        );
    }

    private function body(): string
    {
        $body = $this->outcome->body;
        $length = $this->outcome->body_length;
        if (strlen($body) === $length) {
            return $body;
        }
        // FFI turns a const char * field into a string that ends at the first NUL. A void * stays a pointer.
        return FFI::string($this->ffi->cast('void **', FFI::addr($this->outcome->body))[0], $length);
    }
}
