<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\ClosedException as Failure;

/** A ClosedException whose message can be sent again. */
final class ClosedException extends Failure implements RetryableException
{
}
