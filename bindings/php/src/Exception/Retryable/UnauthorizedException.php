<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\UnauthorizedException as Failure;

/** An UnauthorizedException whose message can be sent again. */
final class UnauthorizedException extends Failure implements RetryableException
{
}
