<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** 404: there is no such user. */
final class NotFoundException extends UserEngageException
{
}
