<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Delivery;
use UserEngage\Exception\UserEngageException;
use UserEngage\Result;

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

    /** Reads the result of a call and frees it. Call it once after each call. */
    public function take(): Result|UserEngageException
    {
        $outcome = $this->read($this->result);
        $this->ffi->ue_result_free($this->result);
        return $outcome;
    }

    /** Reads a ue_result. Returns the exception of a failure, and does not throw it. */
    public function read(FFI\CData $result): Result|UserEngageException
    {
        $this->ffi->ue_result_read($result, $this->outcomePointer);
        $outcome = $this->outcome;
        if ($outcome->status !== $this->ffi->UE_OK) {
            return $this->exception();
        }
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
        );
    }

    private function exception(): UserEngageException
    {
        $outcome = $this->outcome;
        $class = UserEngageException::classOf($outcome->status);
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
