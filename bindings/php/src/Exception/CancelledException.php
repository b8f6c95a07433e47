<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The interrupt callback, a signal handler or onResult ended the call before the message was done. */
class CancelledException extends UserEngageException
{
}
