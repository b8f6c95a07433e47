<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\TimeoutException as Failure;

/** A TimeoutException whose message can be sent again. */
final class TimeoutException extends Failure implements RetryableException
{
}
