<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** No connection could be made: DNS, connect or proxy. */
final class ConnectException extends UserEngageException
{
}
