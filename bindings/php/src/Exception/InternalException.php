<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** A bug in the library. It was caught, and the process is intact. */
class InternalException extends UserEngageException
{
}
