<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** 404: the user does not exist. */
class NotFoundException extends UserEngageException
{
}
