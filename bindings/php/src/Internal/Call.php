<?php

declare(strict_types=1);

namespace UserEngage\Internal;

/**
 * What a call of ue_send_conversation takes and gives. It can serve one call after another: making it takes longer than
 * using it.
 *
 * @internal
 */
final class Call
{
    /** One that no call uses. Not in the client, where a dump would show the content that was sent last. */
    public static ?self $spare = null;

    public readonly NativeMessage $message;
    public readonly NativeResult $result;

    public function __construct()
    {
        $this->message = new NativeMessage();
        $this->result = new NativeResult();
    }
}
