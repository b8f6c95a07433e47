<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The client was closed. */
final class ClosedException extends UserEngageException
{
}
