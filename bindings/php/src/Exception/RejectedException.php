<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** Any other 4xx: the service refused the message. A 408: it gave up on the request; `$delivery` says what is known. */
class RejectedException extends UserEngageException
{
}
