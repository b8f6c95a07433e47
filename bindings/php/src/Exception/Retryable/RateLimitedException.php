<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\RateLimitedException as Failure;

/** A RateLimitedException whose message can be sent again. */
final class RateLimitedException extends Failure implements RetryableException
{
}
