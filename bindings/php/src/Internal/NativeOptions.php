<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Options;

/**
 * The options as a ue_options. Owns the memory of its texts.
 *
 * @internal
 */
final class NativeOptions
{
    private FFI\CData $struct;

    /** @var list<FFI\CData> */
    private array $texts = [];

    public function __construct(Options $options, ?Hooks $hooks)
    {
        $this->struct = Native::new('ue_options');
        $this->struct->struct_size = FFI::sizeof($this->struct);
        $this->setText('base_url', $options->baseUrl);
        $this->struct->api_version = $options->apiVersion ?? 0;
        $this->struct->delivery_policy = $options->deliveryPolicy?->value ?? 0;
        $this->setCount('max_attempts', $options->maxAttempts);
        $this->setSeconds('connect_timeout', $options->connectTimeout);
        $this->setSeconds('timeout', $options->timeout);
        $this->setCount('max_per_second', $options->maxPerSecond);
        $this->setCount('max_connections', $options->maxConnections);
        $this->setText('proxy', $options->proxy);
        $this->setText('ca_file', $options->caFile);
        $this->setText('user_agent', $options->userAgent);
        $hooks?->set($this->struct);
    }

    /** Valid as long as this object. */
    public function pointer(): FFI\CData
    {
        return FFI::addr($this->struct);
    }

    private function setText(string $field, #[\SensitiveParameter] ?string $text): void
    {
        if ($text === null) {
            return;
        }
        $copy = Native::copy(Native::text($field, $text));
        $this->struct->{$field} = FFI::addr($copy[0]);
        $this->texts[] = $copy;
    }

    private function setCount(string $field, ?int $count): void
    {
        if ($count !== null) {
            $this->struct->{$field} = Native::count($field, $count);
        }
    }

    private function setSeconds(string $field, ?float $seconds): void
    {
        if ($seconds !== null) {
            $this->struct->{$field . '_ms'} = Native::milliseconds($field, $seconds);
        }
    }
}
