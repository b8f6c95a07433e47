<?php

declare(strict_types=1);

namespace UserEngage\Internal;

use FFI;
use JsonException;
use UserEngage\Exception\InvalidArgumentException;
use UserEngage\Source;

/**
 * A message as a ue_message, with the memory that its texts are in.
 *
 * @internal
 */
final class NativeMessage
{
    private FFI\CData $struct;
    private FFI\CData $texts;

    /** @param array<mixed>|object|null $sourceContext */
    public function __construct(
        int|string $clientUserId,
        #[\SensitiveParameter]
        string $content,
        ?int $user,
        Source|int|null $source,
        #[\SensitiveParameter]
        array|object|null $sourceContext,
    ) {
        // 0 means "none given" to C, and an int32_t is narrower than PHP's integers.
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
        $id = (string) $clientUserId;
        $context = $sourceContext === null ? '' : self::json($sourceContext);

        $this->texts = Native::copy("$id\0$content\0$context");
        $this->struct = Native::new('ue_message');
        $this->struct->struct_size = FFI::sizeof($this->struct);
        $this->struct->client_user_id = FFI::addr($this->texts[0]);
        $this->struct->client_user_id_length = strlen($id);
        $this->struct->content = FFI::addr($this->texts[strlen($id) + 1]);
        $this->struct->content_length = strlen($content);
        $this->struct->user = $user ?? 0;
        $this->struct->source = $source ?? 0;
        if ($sourceContext !== null) {
            $this->struct->source_context = FFI::addr($this->texts[strlen($id) + strlen($content) + 2]);
            $this->struct->source_context_length = strlen($context);
        }
    }

    /** Valid as long as this object. */
    public function pointer(): FFI\CData
    {
        return FFI::addr($this->struct);
    }

    /** To be copied: its texts are valid as long as this object. */
    public function struct(): FFI\CData
    {
        return $this->struct;
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
