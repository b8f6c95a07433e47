<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The interrupt callback ended the call. */
final class CancelledException extends UserEngageException
{
}
