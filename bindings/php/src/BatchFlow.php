<?php

declare(strict_types=1);

namespace UserEngage;

/** What the onResult callback of Client::sendConversations() returns: how the sending goes on. */
enum BatchFlow
{
    /** Go on. To return nothing means the same. */
    case Continue;

    /** Finish the messages in flight, and begin no more. No message becomes unknown by it. */
    case Finish;

    /** End the messages in flight, too. It may be unknown whether those were delivered. */
    case Abort;
}
