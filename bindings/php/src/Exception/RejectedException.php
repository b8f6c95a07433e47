<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** Any other 4xx: the service refused the message. */
final class RejectedException extends UserEngageException
{
}
