<?php

declare(strict_types=1);

namespace UserEngage\Internal;

/**
 * The message and the result of one ue_send_conversation. Reused for many calls, because making one takes longer than
 * using it.
 *
 * @internal
 */
final class Call
{
    /** One that no call uses at the moment. It is not kept in the client, where a dump would show the last content. */
    public static ?self $spare = null;

    public readonly NativeMessage $message;
    public readonly NativeResult $result;

    public function __construct()
    {
        $this->message = new NativeMessage();
        $this->result = new NativeResult();
    }
}
