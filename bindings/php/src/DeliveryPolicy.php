<?php

declare(strict_types=1);

namespace UserEngage;

/** What a client does when it is unknown whether an attempt delivered the message. */
enum DeliveryPolicy: int
{
    /** Stops and says so. */
    case AtMostOnce = 0;

    /** Sends again, at the risk of showing the message twice. */
    case AtLeastOnce = 1;
}
