<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The connection was lost before an answer came. */
final class ConnectionLostException extends UserEngageException
{
}
