<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The reply is not valid HTTP, or not an answer of this service. */
class BadReplyException extends UserEngageException
{
}
