<?php

// PHP's HttpRequest went with version 1 of the extension http. This gives its name to what came after it,
// http\Client of version 2 and later (Debian: php-http and php-raphf), so that the specification's snippet runs as it is written.

declare(strict_types=1);

if (!class_exists(http\Client::class)) {
    fwrite(STDERR, "PHP's extension http is not there: install Debian's php-http and php-raphf.\n");
    exit(2);
}

const HTTP_METH_POST = 'POST';

class HttpException extends Exception
{
}

class HttpRequest
{
    private string $url = '';
    private string $method = 'GET';
    /** @var array<string, string> */
    private array $headers = [];
    private string $body = '';

    public function setUrl(string $url): void
    {
        $this->url = $url;
    }

    public function setMethod(string $method): void
    {
        $this->method = $method;
    }

    /** @param array<string, string> $headers */
    public function setHeaders(array $headers): void
    {
        $this->headers = $headers;
    }

    public function setBody(string $body): void
    {
        $this->body = $body;
    }

    public function send(): http\Client\Response
    {
        $body = new http\Message\Body();
        $body->append($this->body);
        $client = new http\Client();
        try {
            $client->enqueue(new http\Client\Request($this->method, $this->url, $this->headers, $body))->send();
            return $client->getResponse() ?? throw new HttpException('no answer');
        } catch (http\Exception $error) {
            throw new HttpException($error->getMessage(), 0, $error);
        }
    }
}
