<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Internal\Native;
use UserEngage\Tests\Server\Apache;
use UserEngage\Tests\Server\Fpm;
use UserEngage\Tests\Server\Server;

/** Under php-fpm behind nginx, and under Apache's mod_php, with each of the ways to permit FFI. */
final class ServerTest extends TestCase
{
    private const PRELOAD = [
        'ffi.enable' => 'preload',
        'opcache.preload' => __DIR__ . '/../preload.php',
        'opcache.preload_user' => 'www-data',
    ];

    public function testAThousandRequestsOverFourWorkersSendAThousandMessagesWithPreload(): void
    {
        $header = $this->header();
        $this->assertSends(1000, Fpm::with(self::PRELOAD + ['ffi.preload' => $header]));
        unlink($header);
    }

    public function testAThousandRequestsOverFourWorkersSendAThousandMessagesWithFfiEnabled(): void
    {
        $this->assertSends(1000, Fpm::with(['ffi.enable' => 'true']));
    }

    public function testPreloadNeedsNoFfiPreload(): void
    {
        $this->assertSends(40, Fpm::with(self::PRELOAD));
    }

    public function testPreloadNeedsNoRoot(): void
    {
        $ini = array_diff_key(self::PRELOAD, ['opcache.preload_user' => '']);
        $this->assertSends(40, Fpm::with($ini, posix_geteuid() === 0 ? 'www-data' : null));
    }

    public function testModPhpSendsWithPreload(): void
    {
        $header = $this->header();
        $this->assertSends(40, Apache::with(self::PRELOAD + ['ffi.preload' => $header]));
        unlink($header);
    }

    public function testModPhpSendsWithFfiEnabled(): void
    {
        $this->assertSends(40, Apache::with(['ffi.enable' => 'true']));
    }

    public function testARequestThatEndsInACallbackLeavesItsWorkerInOrder(): void
    {
        $server = Fpm::with(['ffi.enable' => 'true']);
        $this->sandbox()->fault('never-answers', 'hang', times: 12);
        for ($i = 0; $i < 12; $i++) {
            self::assertStringNotContainsString('returned', $server->page('/exit.php'));
        }
        $this->assertSends(40, $server);
    }

    public function testARequestThatEndsInAFatalErrorLeavesNoDescriptorBehind(): void
    {
        $server = Fpm::with(['ffi.enable' => 'true']);
        $descriptors = [];
        for ($i = 0; $i < 40; $i++) {
            [$worker, $open] = explode(' ', $server->page('/fatal.php'));
            $descriptors[$worker][] = (int) $open;
        }
        foreach ($descriptors as $open) {
            self::assertLessThanOrEqual($open[0], $open[array_key_last($open)]);
        }
    }

    public function testABatchThatEndsInAFatalErrorLeavesNoDescriptorBehindAndItsWorkerInOrder(): void
    {
        $server = Fpm::with(['ffi.enable' => 'true']);
        $user = $this->user();
        $descriptors = [];
        for ($i = 0; $i < 40; $i++) {
            [$worker, $open] = explode(' ', $server->page("/fatal_in_batch.php?to=$user"));
            $descriptors[$worker][] = (int) $open;
        }
        foreach ($descriptors as $open) {
            self::assertLessThanOrEqual($open[0], $open[array_key_last($open)]);
        }
        self::assertSame([], $this->sandbox()->requests("$user-last"));
        $this->assertSends(40, $server);
    }

    public function testWithoutPreloadTheErrorNamesTheLineOfPhpIni(): void
    {
        $text = '~PHP may not use FFI here: set ffi.enable=true in /.*/php.ini, or preload the package~';
        self::assertMatchesRegularExpression($text, Fpm::with(['ffi.enable' => 'preload'])->get($this->user())[0]);
        self::assertMatchesRegularExpression($text, Apache::with(['ffi.enable' => 'preload'])->get($this->user())[0]);
    }

    private function assertSends(int $requests, Server $server): void
    {
        $user = $this->user();
        $workers = [];
        foreach ($server->get($user, $requests) as $body) {
            self::assertMatchesRegularExpression('/^\d+ 201$/', $body);
            $workers[strtok($body, ' ')] = true;
        }
        $sent = array_column($this->sandbox()->requests($user), 'body');
        self::assertCount($requests, $sent);
        self::assertCount($requests, array_unique($sent));
        if ($requests >= 1000) {
            self::assertCount(4, $workers);
        }
    }

    /** What ffi.preload reads, in a file that the server may read. */
    private function header(): string
    {
        $file = tempnam(sys_get_temp_dir(), 'userengage');
        file_put_contents($file, Native::headerFor(Native::library()));
        chmod($file, 0644);
        return $file;
    }
}
