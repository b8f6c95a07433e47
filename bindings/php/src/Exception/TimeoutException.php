<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The deadline passed. */
class TimeoutException extends UserEngageException
{
}
