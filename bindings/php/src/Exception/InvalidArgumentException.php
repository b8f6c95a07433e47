<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** An argument cannot be used, and nothing was sent: the text names it and says why. */
final class InvalidArgumentException extends UserEngageException
{
}
