<?php

declare(strict_types=1);

namespace UserEngage\Tests;

/** How the shared library is found, and the error when it is not. Each test runs its own PHP process. */
final class LibraryTest extends TestCase
{
    private const CODE = 'require "autoload.php"; try { new UserEngage\Client("key"); echo "made"; }'
        . ' catch (UserEngage\Exception\LibraryException $e) { echo $e->getMessage(); }';

    public function testTheEnvironmentNamesTheLibrary(): void
    {
        self::assertSame('made', $this->make());
        self::assertStringStartsWith(
            '/nowhere/libuserengage.so cannot be loaded (',
            $this->make(environment: ['USERENGAGE_LIBRARY' => '/nowhere/libuserengage.so']),
        );
    }

    public function testALibraryThatIsAnotherIsRefused(): void
    {
        self::assertMatchesRegularExpression(
            '/^libc.so.6 is not the library, or an older one than this package \(.*\): install the one for /',
            $this->make(environment: ['USERENGAGE_LIBRARY' => 'libc.so.6']),
        );
    }

    public function testTheErrorWithFfiOffNamesTheLineOfPhpIni(): void
    {
        self::assertMatchesRegularExpression(
            '~^PHP may not use FFI here: set ffi.enable=true in /.*/php.ini~',
            $this->make(['-d', 'ffi.enable=false']),
        );
    }

    public function testTheErrorWithoutFfiNamesTheLineOfPhpIni(): void
    {
        self::assertMatchesRegularExpression('/^PHP lacks its FFI extension: .*extension=ffi/', $this->make(['-n']));
    }

    public function testStaticAnalysisKnowsTheHeadersFunctions(): void
    {
        $functions = static function (string $file): array {
            preg_match_all('/\b(ue_\w+)\(/', (string) file_get_contents($file), $found);
            return $found[1];
        };
        $known = $functions(__DIR__ . '/../stubs/FFI.php');
        self::assertNotEmpty($known);
        self::assertSame([], array_diff($known, $functions(__DIR__ . '/../src/userengage.ffi.h')));
    }

    /**
     * @param list<string> $arguments
     * @param array<string, string> $environment
     */
    private function make(array $arguments = [], array $environment = []): string
    {
        $process = Process::run(
            [PHP_BINARY, ...$arguments, '-r', self::CODE],
            dirname(__DIR__),
            $environment + ['USERENGAGE_LIBRARY' => \UserEngage\Internal\Native::library()],
        );
        self::assertSame('', $process->errors);
        return $process->output;
    }
}
