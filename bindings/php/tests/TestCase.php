<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Client;
use UserEngage\Exception\UserEngageException;
use UserEngage\Message;
use UserEngage\Options;
use UserEngage\Result;

abstract class TestCase extends \PHPUnit\Framework\TestCase
{
    protected const CONTENT = 'Hi <b>user</b>, enjoy our product!';

    protected function sandbox(): Sandbox
    {
        return Sandbox::shared();
    }

    protected function setUp(): void
    {
        putenv('UE_API_KEY=' . $this->sandbox()->apiKey());
        putenv('UE_BASE_URL=' . $this->sandbox()->baseUrl());
    }

    /** A client of the shared sandbox. */
    protected function client(mixed ...$options): Client
    {
        return new Client(
            $this->sandbox()->apiKey(),
            new Options(...['baseUrl' => $this->sandbox()->baseUrl(), ...$options]),
        );
    }

    /** A user that no other test writes to. */
    protected function user(): string
    {
        return 'user-' . bin2hex(random_bytes(6));
    }

    /** @return list<Message> Numbered from 0, to one user or to one each. */
    protected function numbered(int $count, ?string $user = null): array
    {
        return array_map(fn (int $i) => new Message($user ?? $this->user(), (string) $i), range(0, $count - 1));
    }

    /**
     * @param iterable<Result|UserEngageException> $outcomes
     * @return array{array<Result|UserEngageException>, ?\Throwable} The outcomes by key, and the exception at the end.
     */
    protected function catch(iterable $outcomes): array
    {
        $seen = [];
        try {
            foreach ($outcomes as $key => $outcome) {
                self::assertArrayNotHasKey($key, $seen);
                $seen[$key] = $outcome;
            }
        } catch (\Throwable $thrown) {
            // Returned.
        }
        ksort($seen);
        return [$seen, $thrown ?? null];
    }

    /** @return array<string, mixed> The one request that a user got. */
    protected function onlyRequest(int|string $clientUserId): array
    {
        $requests = $this->sandbox()->requests($clientUserId);
        self::assertCount(1, $requests);
        return $requests[0];
    }

    /**
     * @template T of UserEngageException
     * @param class-string<T> $class
     * @return T
     */
    protected static function assertThrows(string $class, callable $call): UserEngageException
    {
        try {
            $call();
        } catch (UserEngageException $exception) {
            self::assertInstanceOf($class, $exception, $exception->getMessage());
            return $exception;
        }
        self::fail("no $class");
    }
}
