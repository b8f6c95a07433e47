<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** No connection could be made: DNS, connect or proxy. */
class ConnectException extends UserEngageException
{
}
