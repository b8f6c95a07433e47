<?php

// A service as Laravel and Symfony build them: its Client comes from the container, which makes one for the process.
//
// Laravel, in the register() of a service provider (config/services.php has the key):
//
//     $this->app->singleton(Client::class, fn ($app) => new Client(
//         config('services.userengage.key'),
//         new Options(timeout: 5.0, logger: $app->make(LoggerInterface::class)),
//     ));
//
// Symfony, in config/services.yaml:
//
//     UserEngage\Options:
//         arguments: { $timeout: 5.0, $logger: '@logger' }
//     UserEngage\Client:
//         arguments: ['%env(UE_API_KEY)%', '@UserEngage\Options']

declare(strict_types=1);

namespace App\Notification;

use UserEngage\Client;
use UserEngage\Delivery;
use UserEngage\Exception\UserEngageException;
use UserEngage\Source;

final class WelcomeMessage
{
    public function __construct(private readonly Client $userEngage)
    {
    }

    /**
     * Sends the message, in a job of a queue as a rule.
     *
     * @return bool Whether the customer got it. False: it is unknown, so the job must not be tried again.
     * @throws UserEngageException The customer did not get it: the job may be tried again.
     */
    public function send(int|string $clientUserId, string $name): bool
    {
        $content = 'Hi <b>' . htmlspecialchars($name) . '</b>, enjoy our product!';
        try {
            $this->userEngage->sendConversation($clientUserId, $content, source: Source::Api);
            return true;
        } catch (UserEngageException $exception) {
            if ($exception->delivery === Delivery::NotDelivered) {
                throw $exception;
            }
            return false;
        }
    }
}
