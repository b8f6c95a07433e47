<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\CancelledException as Failure;

/** A CancelledException whose message can be sent again. */
final class CancelledException extends Failure implements RetryableException
{
}
