<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** Nothing was sent: $maxFailuresInARow messages before this one failed for reasons that are not theirs. */
final class SuspendedException extends UserEngageException implements RetryableException
{
}
