<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\UserEngageException as Failure;

/** A failure of a kind that only a newer library knows, whose message can be sent again. */
final class UserEngageException extends Failure implements RetryableException
{
}
