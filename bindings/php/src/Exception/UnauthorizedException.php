<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** 401 or 403: the API key was not accepted. */
class UnauthorizedException extends UserEngageException
{
}
