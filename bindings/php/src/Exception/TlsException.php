<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** No secure connection could be made: the certificate or the handshake. */
class TlsException extends UserEngageException
{
}
