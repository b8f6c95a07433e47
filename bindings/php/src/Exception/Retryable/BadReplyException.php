<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\BadReplyException as Failure;

/** A BadReplyException whose message can be sent again. */
final class BadReplyException extends Failure implements RetryableException
{
}
