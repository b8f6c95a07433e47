<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\TlsException as Failure;

/** A TlsException whose message can be sent again. */
final class TlsException extends Failure implements RetryableException
{
}
