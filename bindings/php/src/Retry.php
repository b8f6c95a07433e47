<?php

declare(strict_types=1);

namespace UserEngage;

/** Can it help to send a message again? A program that sends failed messages again does so for Later alone. */
enum Retry: int
{
    /** The customer may have seen the message: a person, or your application, has to decide. */
    case Decide = 200;

    /**
     * The message was not delivered. Sending it again later is safe, and can help: the network, the service, the API
     * key or the configuration was at fault, not the message.
     */
    case Later = 201;

    /** The message was delivered, or it will fail again: its content or its user is wrong. */
    case Never = 202;
}
