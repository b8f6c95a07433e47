<?php

declare(strict_types=1);

namespace UserEngage\Exception;

/** The shared library cannot be used, and nothing was sent: the text says what to install or to configure. */
final class LibraryException extends UserEngageException implements RetryableException
{
}
