<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** 5xx: the service failed. */
class ServerErrorException extends UserEngageException
{
}
