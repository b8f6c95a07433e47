<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The queue of the library is full, and nothing was sent. sendConversations() does not meet it. */
final class QueueFullException extends UserEngageException implements RetryableException
{
}
