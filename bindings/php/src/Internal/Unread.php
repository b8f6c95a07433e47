<?php

declare(strict_types=1);

namespace UserEngage\Internal;

/**
 * Warns when the generator of sendConversations() is dropped before it was iterated over, because nothing was sent.
 *
 * @internal
 */
final class Unread
{
    public bool $begun = false;

    public function __destruct()
    {
        if (!$this->begun) {
            trigger_error(
                'UserEngage\Client::sendConversations() sent nothing: it sends while what it returns is iterated over,'
                . ' as with foreach or iterator_to_array()',
                E_USER_WARNING,
            );
        }
    }
}
