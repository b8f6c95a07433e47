<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\ConnectException as Failure;

/** A ConnectException whose message can be sent again. */
final class ConnectException extends Failure implements RetryableException
{
}
