<?php

// A service for Laravel or Symfony. The container makes one Client for the process and passes it in.
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
use UserEngage\Exception\RetryableException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Source;

final class WelcomeMessage
{
    public function __construct(private readonly Client $userEngage)
    {
    }

    /**
     * Sends the message. Usually called in a queue job.
     *
     * @return bool Whether the customer got it. False: it is not known, or it would fail again. So the job must not be
     *     repeated; the log has the reason, for a person.
     * @throws RetryableException The customer did not get it, and it can help to repeat the job.
     */
    public function send(int|string $clientUserId, string $name): bool
    {
        $content = 'Hi <b>' . htmlspecialchars($name) . '</b>, enjoy our product!';
        try {
            $this->userEngage->sendConversation($clientUserId, $content, source: Source::Api);
            return true;
        } catch (RetryableException $exception) {
            throw $exception;
        } catch (UserEngageException) {
            return false;
        }
    }
}
