<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** A fault of the library, contained. */
final class InternalException extends UserEngageException
{
}
