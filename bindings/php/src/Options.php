<?php

declare(strict_types=1);

namespace UserEngage;

use Psr\Log\LoggerInterface;

/**
 * How a client sends. Everything may be left out; null means the default.
 *
 *     new Options(baseUrl: 'https://example.user.com/api/public/', timeout: 5.0)
 */
final class Options
{
    /**
     * @param ?string $baseUrl Where the API is: https, or http on a loopback host. Defaults to
     *     "https://app.userengage.com/api/public/".
     * @param ?int $apiVersion 0: as the specification. 2: the later form, whose answer carries the conversation's id.
     *     Defaults to 0.
     * @param ?DeliveryPolicy $deliveryPolicy Defaults to DeliveryPolicy::AtMostOnce.
     * @param ?int $maxAttempts The most requests for one message; 1 means exactly one. Defaults to 4.
     * @param ?float $connectTimeout Seconds for DNS, TCP, proxy and TLS of one attempt. Defaults to 10.
     * @param ?float $timeout Seconds for a message, every attempt and wait included; with sendConversations from its
     *     turn on. Defaults to 30.
     * @param ?int $maxPerSecond The rate limit: the most requests a second of this client. Defaults to no limit.
     * @param ?int $maxConnections The size of the connection pool: the most connections that a batch uses at once,
     *     and that stay open, idle, for reuse. At most 256. Defaults to 8.
     * @param ?string $proxy Such as "http://user:password@proxy:3128", special characters percent-encoded; "" for none.
     *     Also used with an http baseUrl on a loopback host. Defaults, for https only, to the environment variables
     *     HTTPS_PROXY (else ALL_PROXY) and NO_PROXY.
     * @param ?string $caFile A PEM file with the only certificate authorities to trust. Defaults to Mozilla's, which
     *     are built in.
     * @param ?string $userAgent Put before "userengage/<version>" in the User-Agent header. Defaults to nothing.
     * @param ?LoggerInterface $logger Receives the log lines. They contain neither the API key nor the content. An
     *     exception that it throws goes to PHP's error log. It must not call exit(). Defaults to none.
     * @param string $logLevel The least important of PSR-3's levels that is logged. Defaults to "info".
     * @param (\Closure(): (bool|null))|null $interrupt Called during a call: at once after a signal, else every
     *     100 ms. True cancels the call with a CancelledException. An exception that it throws also ends the call and
     *     is thrown on. With pcntl_async_signals(true), signal handlers run at the same time, and may throw as well.
     *     Neither may call exit(). Defaults to none: then signal handlers run when the call is over.
     */
    public function __construct(
        public readonly ?string $baseUrl = null,
        public readonly ?int $apiVersion = null,
        public readonly ?DeliveryPolicy $deliveryPolicy = null,
        public readonly ?int $maxAttempts = null,
        public readonly ?float $connectTimeout = null,
        public readonly ?float $timeout = null,
        public readonly ?int $maxPerSecond = null,
        public readonly ?int $maxConnections = null,
        #[\SensitiveParameter]
        public readonly ?string $proxy = null,
        public readonly ?string $caFile = null,
        public readonly ?string $userAgent = null,
        public readonly ?LoggerInterface $logger = null,
        public readonly string $logLevel = 'info',
        public readonly ?\Closure $interrupt = null,
    ) {
    }

    /**
     * What var_dump shows: the options that are set, and no proxy's password.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        $shown = [];
        foreach (get_object_vars($this) as $name => $value) {
            if ($value !== null) {
                $shown[(string) $name] = is_object($value) && !$value instanceof \UnitEnum ? $value::class : $value;
            }
        }
        if ($this->proxy !== null) {
            $shown['proxy'] = preg_replace('~^([^/]*//)?.*@~', '$1***@', $this->proxy);
        }
        return $shown;
    }
}
