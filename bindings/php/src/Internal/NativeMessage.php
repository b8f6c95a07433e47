<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use JsonException;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Source;

use function strlen;

/**
 * A ue_message. Owns the memory of its texts. Can be set to one message after another.
 *
 * @internal
 */
final class NativeMessage
{
    /** Longer texts keep their memory only until the next message. */
    private const KEPT = 65536;

    /** A ue_message *, valid as long as this object. Its texts are valid until the next message. */
    public readonly FFI\CData $pointer;

    private FFI\CData $struct;
    private FFI\CData $texts;

    /** The size of $texts in bytes. */
    private int $size = 0;

    public function __construct()
    {
        $this->struct = Native::new('ue_message');
        $this->struct->struct_size = FFI::sizeof($this->struct);
        $this->pointer = FFI::addr($this->struct);
    }

    /** @param array<mixed>|object|null $sourceContext */
    public function set(
        int|string|float|bool $clientUserId,
        #[\SensitiveParameter]
        string $content,
        ?int $user,
        Source|int|null $source,
        #[\SensitiveParameter]
        array|object|null $sourceContext,
        ?float $timeout = null,
    ): void {
        if (\is_float($clientUserId) || \is_bool($clientUserId)) {
            $given = get_debug_type($clientUserId) . ' ' . var_export($clientUserId, true);
            throw new InvalidArgumentException("client_user_id is the $given: give an int or a string");
        }
        // Refused here: 0, which means "none given" to C, and numbers beyond an int32_t.
        if ($user === 0) {
            throw new InvalidArgumentException(
                'user is 0: give the positive id of the agent who writes, or leave it out',
            );
        }
        $source = $source instanceof Source ? $source->value : $source;
        if ($source !== null && ($source <= 0 || $source > 0x7fffffff)) {
            throw new InvalidArgumentException(
                "source is $source: give 1 chat, 2 email, 3 API, 4 SMS or 5 Slack, or leave it out",
            );
        }
        $milliseconds = $timeout === null ? 0 : Native::milliseconds('timeout', $timeout);
        $id = (string) $clientUserId;
        $context = $sourceContext === null ? '' : self::json($sourceContext);

        $texts = $this->copy("$id\0$content\0$context\0");
        $struct = $this->struct;
        $struct->client_user_id_length = strlen($id);
        // Add to the array and not to a pointer to it: PHP would free the pointer's type with the first sum.
        $struct->content = $texts + (strlen($id) + 1);
        $struct->content_length = strlen($content);
        $struct->user = $user ?? 0;
        $struct->source = $source ?? 0;
        $struct->source_context = $context === '' ? null : $texts + (strlen($id) + strlen($content) + 2);
        $struct->source_context_length = strlen($context);
        $struct->timeout_ms = $milliseconds;
    }

    /** Sets the user_data, by which a result is known that is taken from a queue. The number is 1 or more. */
    public function setNumber(int $number): void
    {
        $this->struct->user_data = Native::ffi()->cast('void *', $number);
    }

    /** A copy that C can read. client_user_id points to it. */
    private function copy(#[\SensitiveParameter] string $texts): FFI\CData
    {
        $length = strlen($texts);
        if ($length > $this->size || $this->size > self::KEPT) {
            $this->texts = Native::array('char', $length);
            $this->size = $length;
            $this->struct->client_user_id = FFI::addr($this->texts[0]);
        }
        FFI::memcpy($this->texts, $texts, $length);
        return $this->texts;
    }

    /** @param array<mixed>|object $context */
    private static function json(#[\SensitiveParameter] array|object $context): string
    {
        $flags = JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;
        try {
            return json_encode($context, $flags);
        } catch (JsonException $exception) {
            $reason = $exception->getMessage();
            throw new InvalidArgumentException("source_context cannot be written as JSON: $reason");
        }
    }
}
