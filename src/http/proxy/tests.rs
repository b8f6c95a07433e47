use super::*;

const TARGET: (&str, u16) = ("app.userengage.com", 443);

type Environment = &'static [(&'static str, &'static [u8])];

/// The proxy that is chosen without an option, in its form for people, or the error.
fn of_environment(pairs: Environment) -> Result<Option<String>, String> {
    let variable = |name: &str| {
        let (_, value) = pairs.iter().find(|(key, _)| *key == name)?;
        Some(os_string(value))
    };
    let chosen = Proxy::choose(None, TARGET, true, variable);
    chosen.map(|proxy| proxy.map(|proxy| proxy.to_string())).map_err(|error| error.to_string())
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(windows)]
fn os_string(bytes: &[u8]) -> OsString {
    // Bytes that are not ASCII become lone surrogates.
    let wide: Vec<u16> = bytes.iter().map(|byte| if byte.is_ascii() { (*byte).into() } else { 0xD800 }).collect();
    std::os::windows::ffi::OsStringExt::from_wide(&wide)
}

fn of_option(url: &str) -> Result<Option<Proxy>, Error> {
    Proxy::choose(Some(url), TARGET, true, |_| unreachable!("the option decides"))
}

#[test]
fn the_environment_counts_for_https_in_libcurls_order() {
    let cases: &[(Environment, Option<&str>)] = &[
        (&[], None),
        (&[("HTTPS_PROXY", b"http://up:1")], Some("the proxy up:1 (from HTTPS_PROXY)")),
        (&[("HTTPS_PROXY", b"http://up:1"), ("https_proxy", b"low:1")], Some("the proxy low:1 (from https_proxy)")),
        (&[("HTTPS_PROXY", b"up:1"), ("https_proxy", b"")], Some("the proxy up:1 (from HTTPS_PROXY)")),
        (&[("HTTPS_PROXY", b"up:1"), ("ALL_PROXY", b"all:1")], Some("the proxy up:1 (from HTTPS_PROXY)")),
        (&[("HTTPS_PROXY", b""), ("ALL_PROXY", b"all:1")], Some("the proxy all:1 (from ALL_PROXY)")),
        (&[("all_proxy", b"low:1"), ("ALL_PROXY", b"all:1")], Some("the proxy low:1 (from all_proxy)")),
        (&[("HTTPS_PROXY", b"")], None),
        (&[("HTTP_PROXY", b"http://cgi:1"), ("http_proxy", b"http://cgi:1")], None),
        (&[("HTTPS_PROXY", b"up:1"), ("NO_PROXY", b"userengage.com")], None),
        (&[("HTTPS_PROXY", b"up:1"), ("NO_PROXY", b"userengage.com:443")], None),
        (&[("HTTPS_PROXY", b"up:1"), ("NO_PROXY", b"userengage.com:80")], Some("the proxy up:1 (from HTTPS_PROXY)")),
        (&[("ALL_PROXY", b"socks5://up:1"), ("NO_PROXY", b"*")], None),
        (
            &[("HTTPS_PROXY", b"up:1"), ("no_proxy", b"x"), ("NO_PROXY", b"*")],
            Some("the proxy up:1 (from HTTPS_PROXY)"),
        ),
        (&[("HTTPS_PROXY", b"up:1"), ("no_proxy", b""), ("NO_PROXY", b"*")], None),
    ];
    for (pairs, chosen) in cases {
        assert_eq!(of_environment(pairs).as_ref().map(Option::as_deref), Ok(*chosen), "{pairs:?}");
    }
}

#[test]
fn the_environment_counts_neither_for_http_nor_beside_an_option() {
    let unread = |_: &str| unreachable!("it is not read");
    assert!(Proxy::choose(None, ("127.0.0.1", 80), false, unread).unwrap().is_none());
    assert!(Proxy::choose(Some(""), TARGET, true, unread).unwrap().is_none());
    assert_eq!(of_option("p").unwrap().unwrap().to_string(), "the proxy p:80 (from the option proxy)");
}

#[test]
fn a_variable_that_cannot_be_used_is_an_error_that_names_it_and_the_way_out() {
    let cases: &[(Environment, &str)] = &[
        (&[("HTTPS_PROXY", b"http://s3cret\xff@p")], "HTTPS_PROXY is not UTF-8"),
        (&[("https_proxy", b"\xff"), ("HTTPS_PROXY", b"http://up:1")], "https_proxy is not UTF-8"),
        (&[("ALL_PROXY", b"\xff")], "ALL_PROXY is not UTF-8"),
        (&[("all_proxy", b"\xff")], "all_proxy is not UTF-8"),
        (&[("HTTPS_PROXY", b"http://up:1"), ("NO_PROXY", b"\xff,*")], "NO_PROXY is not UTF-8"),
        (&[("no_proxy", b"*,\xff")], "no_proxy is not UTF-8"),
        (&[("HTTPS_PROXY", b"socks5://u:s3cret@p")], "HTTPS_PROXY has a scheme other than http (socks5)"),
        (&[("ALL_PROXY", b"SOCKS5h://p")], "ALL_PROXY has a scheme other than http (socks5h)"),
        (&[("HTTPS_PROXY", b"http://u:s3c#ret@p")], "HTTPS_PROXY has a character in its user or password"),
        (&[("HTTPS_PROXY", b" ")], "HTTPS_PROXY is not a valid URL"),
    ];
    for (pairs, fault) in cases {
        let text = of_environment(pairs).unwrap_err();
        assert!(text.starts_with(&format!("the environment variable {fault}")), "{pairs:?}: {text}");
        let way_out = if fault.ends_with("UTF-8") { "set the option proxy (\"\" for none)" } else { "or NO_PROXY to" };
        assert!(text.contains("the option proxy") && text.contains(way_out), "{text}");
        assert!(!text.contains("s3c"), "{text}");
    }
}

#[test]
fn a_proxy_url_is_read_with_its_credentials_which_are_never_shown() {
    for (url, place, credentials) in [
        ("http://us%40er:s3cret%3A@proxy.example:3128", "proxy.example:3128", Some("us@er:s3cret:")),
        ("http://user:s3:cret@proxy.example:3128/", "proxy.example:3128", Some("user:s3:cret")),
        ("HTTP://user:s3cret%23%2f%3F%25%5c@proxy.example", "proxy.example:80", Some("user:s3cret#/?%\\")),
        ("user:s3cret@[::1]:3128", "[::1]:3128", Some("user:s3cret")),
        ("http://user@proxy.example", "proxy.example:80", Some("user:")),
        ("http://:s3cret@proxy.example", "proxy.example:80", Some(":s3cret")),
        ("http://@proxy.example", "proxy.example:80", None),
        ("http://[::1]", "[::1]:80", None),
        ("proxy.example", "proxy.example:80", None),
        ("proxy.example:8080", "proxy.example:8080", None),
    ] {
        let proxy = of_option(url).unwrap().expect(url);
        assert_eq!(format!("{proxy:?}"), place, "{url}");
        assert_eq!(format!("{}:{}", proxy.host, proxy.port), place);
        assert_eq!(proxy.to_string(), format!("the proxy {place} (from the option proxy)"));
        let sent = proxy.authorization.as_ref().map(|authorization| authorization.to_string());
        assert_eq!(sent, credentials.map(|plain| BASE64_STANDARD.encode(plain)), "{url}");
    }
}

#[test]
fn a_user_or_password_that_is_not_percent_encoded_is_an_error_never_another_host() {
    for url in [
        "http://user:s3c#ret@proxy:3128",
        "http://user:s3c?ret@proxy:3128",
        "http://user:s3c/ret@proxy:3128",
        "http://user:s3c\\ret@proxy:3128",
        "http://user:s3c@ret@proxy:3128",
        "http://s3c@ret:s3cret@proxy:3128",
        "http://user:s3c[ret@proxy:3128",
        "http://user:s3c ret@proxy:3128",
        "http://user:s3c\"ret@proxy:3128",
        "http://user:s3cret\n@proxy:3128",
        "http://user:s3ćret@proxy:3128",
        "http://user:s3cret%@proxy:3128",
        "http://user:s3cret%zz@proxy:3128",
        "http://user:s3cret%4@proxy:3128",
        "http://user:s3cret%4ł@proxy:3128",
        "http://user:s3cret%%41@proxy:3128",
        "http://user:#s3cret@proxy",
        "http://user:s3c://ret@proxy",
        "user:s3c://ret@proxy",
        "user:s3c#ret@proxy",
        "http://user:1/s3cret@proxy",
        "http://proxy:80#s3cret@x",
    ] {
        let text = of_option(url).unwrap_err().to_string();
        assert!(text.starts_with("proxy has a character in its user or password"), "{url}: {text}");
        assert!(text.contains("percent-encode it") && !text.contains("s3c"), "{url}: {text}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_never_direct() {
    for (url, fault) in [
        ("socks5://u:s3cret@p", "has a scheme other than http (socks5)"),
        ("https://p", "has a scheme other than http (https)"),
        ("s3cret://p", "has a scheme other than http,"),
        ("://p", "has a scheme other than http,"),
        ("http://", "has no host"),
        ("http:///", "has no host"),
        ("http://u:s3cret@", "has no host"),
        ("http://:80", "has no host"),
        ("http://u:s3cret@:80", "has no host"),
        ("http://u:s3cret@p:0", "has an invalid port"),
        ("http://p:99999", "has an invalid port"),
        ("http://p:", "has an invalid port"),
        ("http://p:+80", "has an invalid port"),
        ("http://user:s3cret", "has an invalid port"),
        ("http://[::1]3128", "has an invalid port"),
        ("http://[::1]:s3cret", "has an invalid port"),
        ("http://::1:3128", "has more than one colon after its host"),
        ("http://p/path", "has a path"),
        ("http://u:s3cret@p/path", "has a path"),
        ("http://p//", "has a path"),
        ("http://p?s3cret", "has a path"),
        ("http://p#s3cret", "has a path"),
        ("http:/p", "has a path"),
        ("http://a%3As3cret:x@p", "has a user with a colon"),
        ("u s3cret", "is not a valid URL"),
        ("http://p%41", "is not a valid URL"),
        ("http://pröxy", "is not a valid URL"),
    ] {
        let text = of_option(url).unwrap_err().to_string();
        assert!(text.starts_with(&format!("proxy {fault}")), "{url}: {text}");
        assert!(text.contains("\"\" for none") && !text.contains("s3cret"), "{url}: {text}");
    }
}

#[test]
fn with_an_http_base_url_the_proxy_is_on_a_loopback_host_too() {
    let choose = |url| Proxy::choose(Some(url), ("127.0.0.1", 8025), false, |_| None);
    for url in ["127.0.0.1:1", "http://[::1]:1", "http://u:p@localhost", "LOCALHOST.", "proxy.localhost"] {
        assert!(choose(url).unwrap().is_some(), "{url}");
    }
    for url in ["http://u:s3cret@proxy.example", "10.0.0.1", "127.1", "0.0.0.0", "localhost.example", "[::ffff:7f00:1]"]
    {
        let text = choose(url).unwrap_err().to_string();
        assert!(text.starts_with("proxy is ") && text.contains("base_url is http"), "{url}: {text}");
        assert!(text.contains("https") && !text.contains("s3cret"), "{url}: {text}");
    }
}

#[test]
fn a_refusal_says_what_to_correct_and_whether_the_next_try_may_differ() {
    let plain = of_option("http://p:1").unwrap().unwrap();
    let known = of_option("http://user:s3cret@p:1").unwrap().unwrap();
    for (proxy, schemes, words) in [
        (&plain, &[][..], "asks for a user and password, and its URL has none"),
        (&plain, &["Basic"], "asks for a user and password, and its URL has none"),
        (&known, &["NTLM", "Basic"], "refused the user and password that its URL has"),
        (&known, &["NTLM", "Negotiate"], "it accepts NTLM or Negotiate, which is not supported"),
        (&plain, &["Digest"], "it accepts Digest, which is not supported"),
    ] {
        let Fault::ProxyRefused(text) = proxy.refusal("h:443", 407, schemes) else { panic!("it may be repeated") };
        assert!(text.starts_with("the proxy p:1 (from the option proxy) ") && text.contains(words), "{text}");
        assert!(text.contains("407 Proxy Authentication Required") && !text.contains("s3cret"), "{text}");
    }
    for status in [101, 302, 400, 401, 403, 404, 405, 451, 501, 505, 511, 999] {
        let fault = plain.refusal("h:443", status, &[]);
        assert!(matches!(&fault, Fault::ProxyRefused(text) if text.contains(&status.to_string())), "{fault:?}");
    }
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let fault = plain.refusal("h:443", status, &[]);
        assert!(matches!(&fault, Fault::Connect(text) if text.contains(&status.to_string())), "{fault:?}");
    }
}

#[test]
fn faults_on_the_way_to_a_proxy_name_it() {
    let proxy = of_option("http://user:s3cret@p:1").unwrap().unwrap();
    let Fault::Connect(text) = proxy.name_in(Fault::Connect("no address was found for p: why".into())) else {
        panic!()
    };
    assert_eq!(text, "the proxy p:1 (from the option proxy) cannot be reached: no address was found for p: why");
    let Fault::Deadline(text) = proxy.name_in(Fault::Deadline("while connecting".into())) else { panic!() };
    assert_eq!(text, "while connecting, on the way to the proxy p:1 (from the option proxy)");
    assert!(matches!(proxy.name_in(Fault::Closed), Fault::Closed));
}

#[test]
fn the_request_is_made_without_a_copy_of_the_credentials() {
    let request = of_option("http://u:p@h").unwrap().unwrap().request("a:443");
    let expected = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
    assert_eq!((request.as_str(), request.capacity()), (expected, expected.len()));
    let request = of_option("http://h").unwrap().unwrap().request("[::1]:443");
    assert_eq!(request.as_str(), "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
}
