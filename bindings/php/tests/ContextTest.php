<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Exception\InvalidArgumentException;

/** source_context on the wire. */
final class ContextTest extends TestCase
{
    /** @dataProvider contexts */
    public function testAContextArrivesAsJsonEncodeWritesIt(mixed $context, string $json): void
    {
        $user = $this->user();
        $this->client()->sendConversation($user, 'x', sourceContext: $context);
        self::assertSame('{"content":"x","source_context":' . $json . '}', $this->onlyRequest($user)['body']);
    }

    /** @return array<string, array{mixed, string}> */
    public static function contexts(): array
    {
        return [
            'a map' => [['b' => 1, 'a' => null], '{"b":1,"a":null}'],
            'a list' => [[1, 'two', true], '[1,"two",true]'],
            'an empty array is a list' => [[], '[]'],
            'an empty object is a map' => [new \stdClass(), '{}'],
            'an object' => [(object) ['id' => 123], '{"id":123}'],
            'a JsonSerializable' => [
                new class implements \JsonSerializable {
                    public function jsonSerialize(): mixed
                    {
                        return ['own' => 'form'];
                    }
                },
                '{"own":"form"}',
            ],
            'a float stays a float' => [['a' => 1.0, 'b' => 0.1, 'c' => 1e100], '{"a":1.0,"b":0.1,"c":1.0e+100}'],
            'large integers stay whole' => [[PHP_INT_MAX, PHP_INT_MIN], '[9223372036854775807,-9223372036854775808]'],
            'slashes and letters stay readable' => [['ż/😀'], '["ż/😀"]'],
        ];
    }

    /** @dataProvider unusable */
    public function testAContextThatIsNoJsonIsRefusedBeforeAnythingIsSent(mixed $context, string $reason): void
    {
        $user = $this->user();
        $exception = self::assertThrows(
            InvalidArgumentException::class,
            fn () => $this->client()->sendConversation($user, 'x', sourceContext: $context),
        );
        self::assertStringStartsWith('source_context ', $exception->getMessage());
        self::assertStringContainsString($reason, $exception->getMessage());
        self::assertSame([], $this->sandbox()->requests($user));
    }

    /** @return array<string, array{mixed, string}> */
    public static function unusable(): array
    {
        $loop = new \stdClass();
        $loop->self = $loop;
        return [
            'Latin-1' => [["caf\xe9"], 'UTF-8'],
            'infinity' => [[INF], 'Inf'],
            'a loop' => [$loop, 'ecursion'],
            'a resource' => [[STDIN], 'not supported'],
            'an object that becomes text' => [
                new class implements \JsonSerializable {
                    public function jsonSerialize(): mixed
                    {
                        return 'text';
                    }
                },
                'neither an object nor an array',
            ],
        ];
    }
}
