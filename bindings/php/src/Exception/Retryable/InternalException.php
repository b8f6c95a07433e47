<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\InternalException as Failure;

/** An InternalException whose message can be sent again. */
final class InternalException extends Failure implements RetryableException
{
}
