<?php

declare(strict_types=1);

namespace UserEngage;

/** What is known of a message: can it be sent again without the risk of showing it twice? */
enum Delivery: int
{
    /** The request went out, and nothing proves what became of it. */
    case Unknown = 0;

    /** It never went out whole, or was refused: sending again is safe. */
    case NotDelivered = 1;

    /** The service accepted it: do not send again. */
    case Delivered = 2;
}
