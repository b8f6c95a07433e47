<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/**
 * 429: too many requests; or, with nothing sent, no turn in time for maxPerSecond or a pause. $retryAfter says how many
 * seconds to wait.
 */
final class RateLimitedException extends UserEngageException
{
}
