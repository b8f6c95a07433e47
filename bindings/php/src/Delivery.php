<?php

declare(strict_types=1);

namespace UserEngage;

/** What is known of a message: could the customer have seen it? Retry says whether it can help to send it again. */
enum Delivery: int
{
    /** The request went out, and nothing proves what became of it. */
    case Unknown = 100;

    /** It never went out whole, or was refused: the customer has not seen it. */
    case NotDelivered = 101;

    /** The service accepted it: do not send again. */
    case Delivered = 102;
}
