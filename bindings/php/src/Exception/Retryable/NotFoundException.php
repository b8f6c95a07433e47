<?php

declare(strict_types=1);

namespace UserEngage\Exception\Retryable;

use UserEngage\Exception\RetryableException;
use UserEngage\Exception\NotFoundException as Failure;

/** A NotFoundException whose message can be sent again. */
final class NotFoundException extends Failure implements RetryableException
{
}
