<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\ServerErrorException as Failure;

/** A ServerErrorException whose message can be sent again. */
final class ServerErrorException extends Failure implements RetryableException
{
}
