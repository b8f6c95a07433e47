<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Delivery;
use UserEngage\DeliveryPolicy;
use UserEngage\Exception;
use UserEngage\Exception\RetryableException;
use UserEngage\Exception\UserEngageException;
use UserEngage\Options;
use UserEngage\Retry;

final class StatusTest extends TestCase
{
    public function testAStatusOfANewerLibraryHasTheCommonClass(): void
    {
        self::assertSame(UserEngageException::class, UserEngageException::classOf(9999, Retry::Decide));
        self::assertSame(UserEngageException::class, UserEngageException::classOf(9999, Retry::Never));
        $class = UserEngageException::classOf(9999, Retry::Later);
        self::assertInstanceOf(UserEngageException::class, new $class('text'));
    }

    public function testAFailureIsARetryableExceptionIfAndOnlyIfTheAdviceIsLater(): void
    {
        foreach ([...range(2, 16), 9999] as $status) {
            $base = UserEngageException::classOf($status, Retry::Decide);
            foreach (Retry::cases() as $retry) {
                $class = UserEngageException::classOf($status, $retry);
                $exception = new $class('text', status: $status, retry: $retry);
                self::assertInstanceOf($base, $exception);
                self::assertSame($status, $exception->getCode());
                self::assertSame($retry, $exception->retry);
                self::assertSame($retry === Retry::Later, $exception->isRetryable());
                if (!in_array($status, [15, 16], true)) { // these two are always to be sent later
                    self::assertSame($retry === Retry::Later, $exception instanceof RetryableException);
                }
            }
        }
        self::assertSame(Retry::Later, (new Exception\LibraryException('text'))->retry);
        self::assertInstanceOf(RetryableException::class, new Exception\LibraryException('text'));
        self::assertInstanceOf(RetryableException::class, new Exception\QueueFullException('text'));
        self::assertInstanceOf(RetryableException::class, new Exception\SuspendedException('text'));
        self::assertSame(Retry::Never, (new Exception\InvalidArgumentException('text'))->retry);
    }

    public function testADeliveryIsNeverToBeSentAgain(): void
    {
        $result = $this->client()->sendConversation($this->user(), self::CONTENT);
        self::assertSame([Retry::Never, false], [$result->retry, $result->isRetryable()]);
    }

    public function testAWorkerMayDecideByClass(): void
    {
        $decide = function (string $user): string {
            try {
                $this->client(maxAttempts: 1)->sendConversation($user, self::CONTENT);
                return 'done';
            } catch (RetryableException $exception) {
                return 'later';
            } catch (UserEngageException $exception) {
                return $exception->retry === Retry::Never ? 'never' : 'ask a person';
            }
        };
        [$limited, $lost] = [$this->user(), $this->user()];
        $this->sandbox()->fault($limited, 'status', status: 429);
        $this->sandbox()->fault($lost, 'reset');
        self::assertSame(
            ['done', 'later', 'never', 'never', 'ask a person'],
            array_map($decide, [$this->user(), $limited, 'missing', '', $lost]),
        );
    }

    /**
     * @dataProvider faults
     * @param array<string, mixed> $fault
     * @param class-string<UserEngageException> $class
     */
    public function testAFaultThrowsTheClassOfItsStatus(
        array $fault,
        string $class,
        Delivery $delivery,
        Retry $retry,
    ): void {
        $user = $this->user();
        $this->sandbox()->fault($user, ...$fault);
        $timeout = $fault['fault'] === 'hang' ? 0.3 : 30.0;
        $exception = self::assertThrows(
            $class,
            fn () => $this->client(maxAttempts: 1, timeout: $timeout)->sendConversation($user, self::CONTENT),
        );
        self::assertContains($class, [$exception::class, get_parent_class($exception)]);
        self::assertSame($retry, $exception->retry);
        self::assertSame($retry === Retry::Later, $exception instanceof RetryableException);
        self::assertSame($delivery, $exception->delivery);
        self::assertSame(1, $exception->attempts);
        self::assertSame($fault['status'] ?? null, $exception->httpStatus);
        self::assertGreaterThan(0.0, $exception->elapsed);
    }

    /** @return array<string, array{array<string, mixed>, class-string<UserEngageException>, Delivery, Retry}> */
    public static function faults(): array
    {
        $status = static fn (int $status): array => ['fault' => 'status', 'status' => $status];
        $never = [Delivery::NotDelivered, Retry::Never];
        $later = [Delivery::NotDelivered, Retry::Later];
        $unknown = [Delivery::Unknown, Retry::Decide];
        return [
            '400' => [$status(400), Exception\RejectedException::class, ...$never],
            '302' => [$status(302), Exception\BadReplyException::class, ...$unknown],
            '308' => [$status(308), Exception\BadReplyException::class, ...$later],
            '403' => [$status(403), Exception\UnauthorizedException::class, ...$later],
            '404' => [$status(404), Exception\NotFoundException::class, ...$never],
            '408' => [$status(408), Exception\RejectedException::class, ...$unknown],
            '429' => [$status(429), Exception\RateLimitedException::class, ...$later],
            '500' => [$status(500), Exception\ServerErrorException::class, ...$unknown],
            '503' => [
                [...$status(503), 'headers' => ['Retry-After' => '0']],
                Exception\ServerErrorException::class,
                ...$unknown,
            ],
            'hang' => [['fault' => 'hang'], Exception\TimeoutException::class, ...$unknown],
            'reset' => [['fault' => 'reset'], Exception\ConnectionLostException::class, ...$unknown],
            'garbage' => [['fault' => 'garbage'], Exception\BadReplyException::class, ...$unknown],
        ];
    }

    public function testA429SaysHowLongToWait(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'status', status: 429, headers: ['Retry-After' => '7']);
        $exception = self::assertThrows(
            Exception\RateLimitedException::class,
            fn () => $this->client(maxAttempts: 1)->sendConversation($user, self::CONTENT),
        );
        self::assertSame(7.0, $exception->retryAfter);
    }

    public function testAtLeastOnceSendsAgainAndSaysThatItMayBeADuplicate(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'status', status: 500, store: true);
        $client = $this->client(deliveryPolicy: DeliveryPolicy::AtLeastOnce);
        $result = $client->sendConversation($user, self::CONTENT);
        self::assertTrue($result->mayBeDuplicate);
        self::assertSame(2, $result->attempts);
        self::assertCount(2, $this->sandbox()->requests($user));
    }

    public function testABodyIsWholeThoughItHasNuls(): void
    {
        $user = $this->user();
        $this->sandbox()->fault($user, 'status', status: 400, body: "a\0b\0");
        $exception = self::assertThrows(
            Exception\RejectedException::class,
            fn () => $this->client()->sendConversation($user, self::CONTENT),
        );
        self::assertSame("a\0b\0", $exception->body);
    }

    public function testTlsTrustsTheCaFileAlone(): void
    {
        $sandbox = new Sandbox('--tls');
        $send = fn (?string $caFile) => (new \UserEngage\Client(
            $sandbox->apiKey(),
            new Options(baseUrl: $sandbox->tlsBaseUrl(), caFile: $caFile),
        ))->sendConversation(1, self::CONTENT);

        self::assertSame(201, $send($sandbox->caFile())->httpStatus);
        $exception = self::assertThrows(Exception\TlsException::class, static fn () => $send(null));
        self::assertSame(Delivery::NotDelivered, $exception->delivery);
    }
}
