<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\ConnectionLostException as Failure;

/** A ConnectionLostException whose message can be sent again. */
final class ConnectionLostException extends Failure implements RetryableException
{
}
