<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** What came back is no HTTP, or no answer of this service. */
final class BadReplyException extends UserEngageException
{
}
