<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The deadline passed. */
final class TimeoutException extends UserEngageException
{
}
