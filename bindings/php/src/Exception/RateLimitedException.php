<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/**
 * 429: too many requests. Or nothing was sent, because the rate limit (maxPerSecond or the pause after a 429) left no
 * turn before the deadline. $retryAfter says how many seconds to wait.
 */
class RateLimitedException extends UserEngageException
{
}
