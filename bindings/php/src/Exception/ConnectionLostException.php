<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The connection was lost before an answer came. */
class ConnectionLostException extends UserEngageException
{
}
