<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** 429: too many requests. $retryAfter says how many seconds to wait. */
final class RateLimitedException extends UserEngageException
{
}
