<?php

declare(strict_types=1);

namespace UserEngage;

/** The channel that a message is shown to come from. */
enum Source: int
{
    case Chat = 1;
    case Email = 2;
    case Api = 3;
    case Sms = 4;
    case Slack = 5;
}
