<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\RejectedException as Failure;

/** A RejectedException whose message can be sent again. */
final class RejectedException extends Failure implements RetryableException
{
}
