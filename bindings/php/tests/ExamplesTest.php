<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use App\Notification\WelcomeMessage;
use UserEngage\Exception\RateLimitedException;

/** The examples do what they say. */
final class ExamplesTest extends TestCase
{
    private const EXAMPLES = __DIR__ . '/../examples';

    public function testSendSendsTheSpecificationsMessage(): void
    {
        $user = $this->user();
        $process = Process::run([PHP_BINARY, self::EXAMPLES . '/send.php', $user]);
        self::assertSame('', $process->errors);
        self::assertStringStartsWith('delivered: HTTP 201, request ', $process->output);
        self::assertSame(
            '{"content":"Hi <b>user</b>, enjoy our product!","user":926,"source":2,'
            . '"source_context":{"name":"This is source_context used in API","id":123}}',
            $this->onlyRequest($user)['body'],
        );
    }

    public function testSendSaysWhatIsWrongInOneLine(): void
    {
        foreach (['missing' => [], '42' => ['UE_API_KEY' => '']] as $user => $environment) {
            $process = Process::run([PHP_BINARY, self::EXAMPLES . '/send.php', (string) $user], null, $environment);
            self::assertSame(1, $process->status);
            self::assertSame('', $process->output);
            self::assertSame(1, substr_count($process->errors, "\n"));
        }
    }

    public function testTheServiceTellsWhatMayBeTriedAgainFromWhatMayNot(): void
    {
        require_once self::EXAMPLES . '/WelcomeMessage.php';
        $welcome = new WelcomeMessage($this->client(maxAttempts: 1));

        $user = $this->user();
        self::assertTrue($welcome->send($user, 'A & B'));
        self::assertSame(
            '{"content":"Hi <b>A &amp; B</b>, enjoy our product!","source":3}',
            $this->onlyRequest($user)['body'],
        );

        $this->sandbox()->fault($user, 'reset');
        self::assertFalse($welcome->send($user, 'A'));

        $this->sandbox()->fault($user, 'status', status: 429);
        self::assertThrows(RateLimitedException::class, static fn () => $welcome->send($user, 'A'));

        self::assertFalse($welcome->send('missing', 'A'));
    }

    public function testTheCronJobThatIsStoppedLosesNoLine(): void
    {
        [$from, $left] = [tempnam(sys_get_temp_dir(), 'ue'), tempnam(sys_get_temp_dir(), 'ue')];
        $user = $this->user();
        $this->sandbox()->fault($user, 'hang');
        $lines = array_map(static fn (int $i): string => "$user,$i\n", range(1, 600));
        file_put_contents($from, implode('', $lines));

        $command = [PHP_BINARY, self::EXAMPLES . '/cron.php', $from, $left];
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
        $deadline = hrtime(true) + 10e9;
        while ($this->sandbox()->requests($user) === [] && hrtime(true) < $deadline) {
            // The first message is on its way.
        }
        proc_terminate($process);

        self::assertSame("0 delivered, 1 unknown, 0 refused, 599 left\n", stream_get_contents($pipes[1]));
        proc_close($process);
        self::assertSame(implode('', array_slice($lines, 1)), file_get_contents($left));
        self::assertCount(1, $this->sandbox()->requests($user));
        unlink($from);
        unlink($left);
    }

    public function testTheCronJobStopsAtAnOutage(): void
    {
        [$from, $left] = [tempnam(sys_get_temp_dir(), 'ue'), tempnam(sys_get_temp_dir(), 'ue')];
        $user = $this->user();
        $this->sandbox()->fault($user, 'reset', times: 20);
        $lines = array_map(static fn (int $i): string => "$user,$i\n", range(1, 300));
        file_put_contents($from, implode('', $lines));

        $process = Process::run([PHP_BINARY, self::EXAMPLES . '/cron.php', $from, $left]);

        self::assertSame("0 delivered, 10 unknown, 0 refused, 290 left\n", $process->output);
        self::assertSame(implode('', array_slice($lines, 10)), file_get_contents($left));
        self::assertCount(10, $this->sandbox()->requests($user));
        unlink($from);
        unlink($left);
    }

    public function testTheCronJobKeepsWhatCanBeSentAgainAndNothingElse(): void
    {
        [$from, $left] = [tempnam(sys_get_temp_dir(), 'ue'), tempnam(sys_get_temp_dir(), 'ue')];
        [$one, $lost, $two, $early] = [$this->user(), $this->user(), $this->user(), $this->user()];
        $this->sandbox()->fault($lost, 'reset');
        $this->sandbox()->fault($early, 'status', status: 402);
        file_put_contents(
            $from,
            "$one,\"Hi, one\"\nmissing,nobody\n$early,early\n$lost,lost\n$two,\"Hi \"\"two\"\"\"\n",
        );

        $process = Process::run([PHP_BINARY, self::EXAMPLES . '/cron.php', $from, $left]);

        self::assertSame("2 delivered, 1 unknown, 1 refused, 1 left\n", $process->output);
        self::assertSame(1, $process->status);
        self::assertSame("$early,early\n", file_get_contents($left));
        self::assertStringContainsString("\nmissing: ", "\n$process->errors");
        self::assertStringContainsString("\n$lost: ", "\n$process->errors");
        self::assertSame('{"content":"Hi \"two\""}', $this->onlyRequest($two)['body']);
        unlink($from);
        unlink($left);
    }
}
