<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/**
 * The message was not delivered, and sending it again later is safe and can help: $retry is Retry::Later. For code that
 * decides by class, such as the catch blocks of a queue's worker. Every class of failure but InvalidArgumentException
 * has a subclass with this interface, or has it itself.
 *
 * @mixin UserEngageException
 */
interface RetryableException extends \Throwable
{
}
