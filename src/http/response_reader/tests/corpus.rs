//! Sample answers: of real servers and proxies, and broken ones.

/// Heads of real servers, for a body of nine bytes.
const SERVERS: &[&str] = &[
    // nginx
    "HTTP/1.1 201 Created\r\nServer: nginx/1.27.2\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n\
     Content-Length: 9\r\nConnection: keep-alive\r\nVary: Accept, Cookie\r\nAllow: POST, OPTIONS\r\nX-Frame-Options: DENY\r\n\
     Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n\r\n",
    "HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html\r\n\
     Content-Length: 9\r\nConnection: close\r\n\r\n",
    // Apache
    "HTTP/1.1 301 Moved Permanently\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nServer: Apache/2.4.62 (Debian)\r\n\
     Location: https://new.example/api/\r\nContent-Length: 9\r\nKeep-Alive: timeout=5, max=100\r\nConnection: Keep-Alive\r\n\
     Content-Type: text/html; charset=iso-8859-1\r\n\r\n",
    // IIS
    "HTTP/1.1 100 Continue\r\nServer: Microsoft-IIS/10.0\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\n\r\n\
     HTTP/1.1 201 Created\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nContent-Length: 9\r\n\
     Content-Type: application/json; charset=utf-8\r\nExpires: -1\r\nServer: Microsoft-IIS/10.0\r\n\
     X-AspNet-Version: 4.0.30319\r\nX-Powered-By: ASP.NET\r\n\r\n",
    // Cloudflare
    "HTTP/1.1 201 Created\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\
     Connection: keep-alive\r\nCF-RAY: 8a1b2c3d4e5f6789-FRA\r\nCF-Cache-Status: DYNAMIC\r\n\
     Report-To: {\"endpoints\":[{\"url\":\"https:\\/\\/a.nel.cloudflare.com\\/report\\/v4?s=x\"}],\"group\":\"cf-nel\"}\r\n\
     NEL: {\"success_fraction\":0,\"report_to\":\"cf-nel\",\"max_age\":604800}\r\nServer: cloudflare\r\n\
     alt-svc: h3=\":443\"; ma=86400\r\nserver-timing: cfL4;desc=\"?proto=TCP\"\r\n\
     Set-Cookie: __cf_bm=x; path=/; expires=Thu, 26-Nov-26 12:30:00 GMT; HttpOnly; Secure\r\n\r\n",
    "HTTP/1.1 429 Too Many Requests\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html; charset=UTF-8\r\n\
     Content-Length: 9\r\nConnection: close\r\nRetry-After: 10\r\nServer: cloudflare\r\nCF-RAY: 8a1-FRA\r\n\r\n",
    "HTTP/1.1 521 <none>\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\
     Connection: keep-alive\r\nServer: cloudflare\r\nCF-RAY: 8a1-FRA\r\n\r\n",
    // Varnish
    "HTTP/1.1 503 Backend fetch failed\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nServer: Varnish\r\n\
     Content-Type: text/html; charset=utf-8\r\nRetry-After: 5\r\nX-Varnish: 32770\r\nAge: 0\r\nVia: 1.1 v (Varnish/7.1)\r\n\
     Content-Length: 9\r\nConnection: keep-alive\r\n\r\n",
    // gunicorn, Express, Go, Envoy
    "HTTP/1.1 201 Created\r\nServer: gunicorn\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nConnection: close\r\n\
     Content-Type: application/json\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 201 Created\r\nX-Powered-By: Express\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 9\r\n\
     ETag: W/\"9-x\"\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n\
     X-Content-Type-Options: nosniff\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\n\r\n",
    "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 9\r\nx-envoy-upstream-service-time: 3\r\n\
     date: Thu, 26 Nov 2026 12:00:00 GMT\r\nserver: envoy\r\n\r\n",
    // Proxies
    "HTTP/1.0 504 Gateway Timeout\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n",
    "HTTP/1.1 407 Proxy Authentication Required\r\nServer: squid/6.12\r\nMime-Version: 1.0\r\n\
     Date: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html;charset=utf-8\r\nContent-Length: 9\r\n\
     X-Squid-Error: ERR_CACHE_ACCESS_DENIED 0\r\nProxy-Authenticate: Basic realm=\"a\"\r\nVary: Accept-Language\r\n\
     Via: 1.1 proxy (squid/6.12)\r\nCache-Status: proxy;detail=mismatch\r\nConnection: keep-alive\r\n\r\n",
];

/// Odd and invalid heads. The body of nine bytes follows these, too.
const ODD: &[&str] = &[
    "HTTP/1.1 201 Created\r\nX-Policy: a\r\n  b\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 503 X\r\nRetry-After:\r\n\t 5 \r\n \r\n 6\r\nContent-Length:\r\n 9\r\n\r\n",
    "HTTP/1.1 503 X\r\n folded: first\r\n Content-Length: 4\r\nno field\r\n Content-Length: 5\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 201 Created\r\nX-A : b\r\nContent-Length \t: 9\r\nCF-Ray\t:x\r\n\r\n",
    "HTTP/1.1 201 Created\r\n: b\r\n:\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 201 Created\r\nno colon\r\nTwo Words: x\r\n(x): y\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 201 Created\nContent-Length: 9\nCF-Ray: x\n\n",
    "HTTP/1.1 201 Created\nContent-Length: 9\r\nCF-Ray: x\n\r\n",
    "HTTP/1.1 201\r\nContent-Length:9\r\nX:\r\n\r\n",
    "HTTP/1.1   201   \r\nContent-Length:   9   \r\n\r\n",
    "HTTP/1.1 201 Cr\u{e9}\u{e9}\r\nX: \u{e9}\r\nCF-Ray: \u{e9}\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.0 201 Created\r\nConnection: keep-alive\r\nContent-Length: 9\r\n\r\n",
    "\r\n\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 3\r\n\r\nHTTP/1.1 102\n\n\r\n\
     HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\rb\r\n\rContent-Length: 9\r\n\r\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX\x7f: \x01\r\n \x01\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 9\x01\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 9, 9\r\nContent-Length: 09\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: +9\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\ncontent-encoding: br\r\nConnection: a, close\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: /login\r\nLocation: https://x.example\r\nRetry-After: 1\r\nRetry-After: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; profile=\"json\"\r\nContent-Type: application/json\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/1.1 099 X\r\n\r\n",
    "HTTP/1.1 20 X\r\n\r\n",
    "HTTP/1.1 200 \x01\r\n\r\n",
    "\r\r\nHTTP/1.1 200 OK\r\n\r\n",
    "SSH-2.0-OpenSSH_9.9\r\n",
    "<html><body>login</body></html>",
    "ICY 200 OK\r\n\r\n",
];

/// Chunked bodies, valid and invalid.
const CHUNKED: &[&str] = &[
    "9\r\n{\"id\": 7}\r\n0\r\n\r\n",
    "4\r\n{\"id\r\n005 \r\n\": 7}\r\n00;last\r\nX: y\r\n z\r\n\r\n",
    "a;n=\"v\";m\r\n{\"id\": 7} \r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "6\r\n<html>X\r\n0\r\n\r\n",
    "6;note=\"a portal of somebody\"\r\n<html>\r\n0\r\n\r\n",
    "9\n{\"id\": 7}\n0\n\n",
    "9\r{\"id\": 7}\r\n0\r\n\r\n",
    "\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nx",
    "10000000000000000\r\nx",
    "2\r\n{}\r\n0\r\nno field\r\n\r\n",
    "2\r\n{}\r\n0\r\n\n",
    "0\r\n\r\n",
    "<html>",
];

pub(super) fn heads() -> Vec<Vec<u8>> {
    let cookies: String = (0..130).map(|n| format!("Set-Cookie: c{n}=x; path=/\r\n")).collect();
    let cookies = format!("HTTP/1.1 201 Created\r\n{cookies}Content-Length: 9\r\n\r\n");
    let long = format!("HTTP/1.1 201 Created\r\nCF-Ray: {0}\r\nX: {0}\r\nContent-Length: 9\r\n\r\n", "x".repeat(2000));
    SERVERS.iter().chain(ODD).copied().chain([&*cookies, &*long]).map(|head| head.as_bytes().to_vec()).collect()
}

/// Complete answers, and bytes that only begin like one.
pub(super) fn answers() -> Vec<Vec<u8>> {
    let with_length = heads().into_iter().map(|head| [&head[..], b"{\"id\": 7}"].concat());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = CHUNKED.iter().map(|coded| format!("{head}{coded}").into_bytes());
    with_length.chain(chunked).collect()
}
