<?php

declare(strict_types=1);

namespace UserEngage\Tests;

use UserEngage\Internal\Native;

/** How an application gets the package and the library, without a network. */
final class InstallTest extends TestCase
{
    private const PACKAGE = __DIR__ . '/..';

    private string $directory;

    protected function setUp(): void
    {
        parent::setUp();
        $this->directory = sys_get_temp_dir() . '/userengage-install-' . bin2hex(random_bytes(6));
        mkdir("$this->directory/package", recursive: true);
        foreach (['autoload.php', 'bin', 'composer.json', 'preload.php', 'src'] as $name) {
            $this->succeed(['cp', '-r', self::PACKAGE . "/$name", "$this->directory/package"]);
        }
        mkdir("$this->directory/root/usr/lib", recursive: true);
        copy(Native::library(), "$this->directory/root/usr/lib/libuserengage.so.0.1.0");
        symlink('libuserengage.so.0.1.0', "$this->directory/root/usr/lib/libuserengage.so.0.1");
    }

    protected function tearDown(): void
    {
        $this->succeed(['rm', '-r', $this->directory]);
    }

    public function testTheLibraryComesFromAReleaseArchive(): void
    {
        $this->succeed(['tar', '-czf', "$this->directory/release.tar.gz", '-C', "$this->directory/root", 'usr']);
        $this->assertInstalls('release.tar.gz');
    }

    public function testTheLibraryComesFromADebianPackage(): void
    {
        mkdir("$this->directory/root/DEBIAN");
        file_put_contents("$this->directory/root/DEBIAN/control", implode("\n", [
            'Package: libuserengage0.1',
            'Version: 0.1.0',
            'Architecture: all',
            'Maintainer: nobody <nobody@example.com>',
            'Description: test',
            '',
        ]));
        $this->succeed(['dpkg-deb', '--build', '-Znone', "$this->directory/root", "$this->directory/package.deb"]);
        $this->assertInstalls('package.deb');
    }

    public function testTheLibraryMayBeGivenItself(): void
    {
        $this->assertInstalls('root/usr/lib/libuserengage.so.0.1.0');
    }

    public function testAnInstallationOverAnotherLeavesTheOldFileToThoseWhoUseIt(): void
    {
        $this->assertInstalls('root/usr/lib/libuserengage.so.0.1');
        $before = fileinode("$this->directory/package/lib/libuserengage.so");
        $this->assertInstalls('root/usr/lib/libuserengage.so.0.1');
        clearstatcache();
        self::assertNotSame($before, fileinode("$this->directory/package/lib/libuserengage.so"));
    }

    public function testWhatIsNoLibraryIsRefused(): void
    {
        foreach (['nowhere' => 'is not a file', 'package/composer.json' => 'cannot be loaded'] as $file => $text) {
            $process = $this->install($file);
            self::assertSame(1, $process->status);
            self::assertStringContainsString($text, $process->errors);
            self::assertFileDoesNotExist("$this->directory/package/lib/libuserengage.so");
        }
        rename("$this->directory/root/usr/lib", "$this->directory/root/usr/share");
        unlink("$this->directory/root/usr/share/libuserengage.so.0.1.0");
        $this->succeed(['tar', '-czf', "$this->directory/empty.tar.gz", '-C', "$this->directory/root", 'usr']);
        self::assertStringContainsString('holds no shared library', $this->install('empty.tar.gz')->errors);
    }

    public function testTheLibraryMayBeTheSystemsThatHasTheAbiOfThePackage(): void
    {
        $code = 'require "autoload.php"; new UserEngage\Client("key"); echo UserEngage\Internal\Native::library();';
        $places = ['USERENGAGE_LIBRARY' => '', 'LD_LIBRARY_PATH' => "$this->directory/root/usr/lib"];
        $output = $this->succeed([PHP_BINARY, '-r', $code], $places, "$this->directory/package");
        self::assertSame('libuserengage.so.0.1', $output);
    }

    public function testAComposerProjectFindsThePackage(): void
    {
        $project = "$this->directory/project";
        mkdir($project);
        $versions = ['versions' => ['userengage/userengage' => '0.1.0']];
        file_put_contents("$project/composer.json", json_encode([
            'repositories' => [
                ['type' => 'path', 'url' => '../package', 'options' => $versions],
                ['packagist.org' => false],
            ],
            'require' => ['userengage/userengage' => '^0.1'],
        ]));
        $this->succeed(['composer', 'install', '--quiet', '--no-interaction', '--working-dir', $project], [
            'COMPOSER_ALLOW_SUPERUSER' => '1',
            'COMPOSER_DISABLE_NETWORK' => '1',
            'COMPOSER_HOME' => "$this->directory/composer",
        ]);
        $this->succeed(["$project/vendor/bin/userengage-install", Native::library()]);
        $code = 'require "vendor/autoload.php"; new UserEngage\Client("key");'
            . ' echo UserEngage\Internal\Native::library();';
        $output = $this->succeed([PHP_BINARY, '-r', $code], ['USERENGAGE_LIBRARY' => ''], $project);
        self::assertSame(realpath("$this->directory/package/lib/libuserengage.so"), realpath($output));
    }

    private function assertInstalls(string $file): void
    {
        $process = $this->install($file);
        self::assertSame(['', 0], [$process->errors, $process->status]);
        $installed = "$this->directory/package/lib/libuserengage.so";
        self::assertStringContainsString(" is now $installed", $process->output);
        self::assertFileEquals(Native::library(), $installed);
        self::assertStringContainsString("\"$installed\"", file_get_contents(dirname($installed) . '/userengage.h'));
        $code = 'require "autoload.php"; new UserEngage\Client("key"); echo UserEngage\Internal\Native::library();';
        $output = $this->succeed([PHP_BINARY, '-r', $code], ['USERENGAGE_LIBRARY' => ''], "$this->directory/package");
        self::assertSame($installed, $output);
    }

    private function install(string $file): Process
    {
        return Process::run(["$this->directory/package/bin/userengage-install", "$this->directory/$file"]);
    }

    /**
     * @param list<string> $command
     * @param array<string, string> $environment
     */
    private function succeed(array $command, array $environment = [], ?string $directory = null): string
    {
        $process = Process::run($command, $directory, $environment);
        self::assertSame(0, $process->status, $process->output . $process->errors);
        return $process->output;
    }
}
