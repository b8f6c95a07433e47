<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** Any other 4xx: the service refused the message; or 408: it gave up on it, and `$delivery` says what is known. */
final class RejectedException extends UserEngageException
{
}
