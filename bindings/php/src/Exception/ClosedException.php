<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The client was closed. */
class ClosedException extends UserEngageException
{
}
