<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Delivery;
use UserEngage\Exception\UserEngageException;
use UserEngage\Result;

/**
 * A ue_result, freed with this object.
 *
 * @internal
 */
final class NativeResult
{
    private FFI $ffi;
    private FFI\CData $result;

    /** @param ?FFI\CData $result One to own. Null: what a call puts at out(). */
    public function __construct(?FFI\CData $result = null)
    {
        $this->ffi = Native::ffi();
        $this->result = $result ?? Native::new('ue_result *');
    }

    public function __destruct()
    {
        $this->ffi->ue_result_free($this->result);
    }

    /** What a call takes as its ue_result **. */
    public function out(): FFI\CData
    {
        return FFI::addr($this->result);
    }

    /** @throws UserEngageException */
    public function throwUnlessOk(): void
    {
        $status = $this->ffi->ue_result_status($this->result);
        if ($status !== $this->ffi->UE_OK) {
            throw $this->toException($status);
        }
    }

    /** The one or the other, thrown by nobody. */
    public function toOutcome(): Result|UserEngageException
    {
        $status = $this->ffi->ue_result_status($this->result);
        return $status === $this->ffi->UE_OK ? $this->toResult() : $this->toException($status);
    }

    public function toResult(): Result
    {
        $ffi = $this->ffi;
        $conversationId = $ffi->ue_result_conversation_id($this->result);
        return new Result(
            httpStatus: $ffi->ue_result_http_status($this->result),
            conversationId: $conversationId === -1 ? null : $conversationId,
            requestId: $ffi->ue_result_request_id($this->result) ?: null,
            attempts: $ffi->ue_result_attempts($this->result),
            elapsed: $ffi->ue_result_elapsed_us($this->result) / 1e6,
            mayBeDuplicate: $ffi->ue_result_may_be_duplicate($this->result),
            body: $this->body(),
        );
    }

    private function toException(int $status): UserEngageException
    {
        $ffi = $this->ffi;
        $class = UserEngageException::classOf($status);
        $retryAfter = $ffi->ue_result_retry_after_ms($this->result);
        return new $class(
            message: $ffi->ue_result_message($this->result),
            status: $status,
            delivery: Delivery::tryFrom($ffi->ue_result_delivery($this->result)) ?? Delivery::Unknown,
            httpStatus: $ffi->ue_result_http_status($this->result) ?: null,
            retryAfter: $retryAfter === -1 ? null : $retryAfter / 1e3,
            requestId: $ffi->ue_result_request_id($this->result) ?: null,
            attempts: $ffi->ue_result_attempts($this->result),
            elapsed: $ffi->ue_result_elapsed_us($this->result) / 1e6,
            detail: $ffi->ue_result_detail($this->result) ?: null,
            body: $this->body(),
        );
    }

    private function body(): string
    {
        $length = Native::new('size_t');
        $body = $this->ffi->ue_result_body($this->result, FFI::addr($length));
        if (strlen($body) === $length->cdata) {
            return $body;
        }
        // FFI makes a string of a const char * and ends it at the first NUL, which a void * does not suffer.
        $asPointer = $this->ffi->cast('void *(*)(void *, size_t *)', $this->ffi->ue_result_body);
        return FFI::string($asPointer($this->result, FFI::addr($length)), $length->cdata);
    }
}
