use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn with_base(base_url: &str) -> Result<Endpoint, Error> {
    Endpoint::new(KEY, &Options { base_url: base_url.into(), ..Options::default() })
}

fn uri(base_url: &str, id: &str) -> String {
    with_base(base_url).unwrap().prepare(&Message::new(id, "Hi")).unwrap().uri.to_string()
}

#[test]
fn the_default_is_the_specifications_address() {
    let endpoint = Endpoint::new(KEY, &Options::default()).unwrap();
    let prepared = endpoint.prepare(&Message::new(42, "Hi")).unwrap();
    let request = endpoint.request(&prepared);
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://app.userengage.com/api/public/users/42/conversations/");
    assert_eq!(request.headers()["host"], "app.userengage.com");
    assert_eq!(request.headers()["content-length"], prepared.body.len().to_string());
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        *endpoint.fields.text.as_str(),
        format!(
            "authorization: Token {KEY}\r\ncontent-type: application/json\r\naccept: */*\r\nuser-agent: userengage/{version}\r\n"
        )
    );
    assert_eq!(endpoint.api_key(), KEY);
}

#[test]
fn the_base_url_works_with_and_without_its_trailing_slash() {
    for base in ["https://acme.user.com/api/public/", "https://acme.user.com/api/public"] {
        assert_eq!(uri(base, "1"), "https://acme.user.com/api/public/users/1/conversations/");
    }
    assert_eq!(uri("https://acme.user.com", "1"), "https://acme.user.com/users/1/conversations/");
}

#[test]
fn an_id_is_one_percent_encoded_segment() {
    let path = |id| uri("https://h/", id).trim_start_matches("https://h/users/").to_owned();
    assert_eq!(path("a/../b?c#d%e f+g"), "a%2F..%2Fb%3Fc%23d%25e%20f%2Bg/conversations/");
    assert_eq!(path("żó@\"<>"), "%C5%BC%C3%B3%40%22%3C%3E/conversations/");
    assert_eq!(path("A-z_0.9~"), "A-z_0.9~/conversations/");
}

#[test]
fn plain_http_is_for_loopback_hosts_alone() {
    for base in [
        "http://127.0.0.1:8025/x/",
        "http://127.9.9.9/",
        "http://localhost/",
        "http://LOCALHOST:1/",
        "http://[::1]:80/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://localhost./",
        "http://shop.localhost/",
        "http://a.b.LocalHost.:8025/",
    ] {
        assert!(with_base(base).is_ok(), "{base}");
    }
    for base in [
        "http://example.com/",
        "http://localhost.example.com/",
        "http://128.0.0.1/",
        "http://[::2]/",
        "http://127.0.0.1.nip.io/",
        "http://mylocalhost/",
        "http://localhost../",
        "http://.localhost/",
        "http://localhost.localdomain/",
        // The system may read these as another address than they seem to be.
        "http://127.1/",
        "http://127.0.0.1./",
        "http://0127.0.0.1/",
        "http://127.0.0.01/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[127.0.0.1]/",
        "http://[localhost]/",
        "http://[::]/",
        "http://0.0.0.0/",
        "http://0/",
    ] {
        let text = with_base(base).err().expect(base).to_string();
        assert!(text.starts_with("base_url is http: use https"), "{base}: {text}");
    }
}

#[test]
fn the_port_is_the_base_urls_or_that_of_its_scheme() {
    for (base, port) in [
        ("https://a/", Ok(443)),
        ("http://localhost/", Ok(80)),
        ("https://a:8443/", Ok(8443)),
        ("https://[::1]:65535/", Ok(65535)),
        ("https://[::1]/", Ok(443)),
        ("https://a:0/", Err(())),
        ("https://a:65536/", Err(())),
        ("https://a:/", Err(())),
        ("https://a:+443/", Err(())),
        ("https://[::1]443/", Err(())),
    ] {
        match (with_base(base), port) {
            (Ok(endpoint), Ok(port)) => assert_eq!(endpoint.port(), port, "{base}"),
            (Err(error), Err(())) => {
                assert!(error.to_string().starts_with("base_url has an invalid port: use a port"), "{base}: {error}");
            }
            (found, _) => panic!("{base}: {:?}", found.map(|endpoint| endpoint.port())),
        }
    }
}

#[test]
fn a_base_url_that_cannot_be_meant_is_refused() {
    for base in [
        "",
        "app.user.com",
        "/api/",
        "ftp://a/",
        "https://",
        "https://u:p@a/",
        "https://a/?q=1",
        "https://a/#f",
        "https://a:0/",
        "https://a:99999/",
        "https://a b/",
        "https://a:/",
        "https://a:+80/",
        "https://[::1]80/",
        "https://[::1]x:80/",
    ] {
        let text = with_base(base).err().expect(base).to_string();
        assert!(text.starts_with("base_url "), "{base}: {text}");
    }
}

#[test]
fn a_key_that_cannot_be_one_is_refused_without_being_shown() {
    for key in ["", " s3cret", "s3cret\n", "s3cret\r\nX: y", "klucz-żółty-s3cret", "s3\0cret"] {
        let text = Endpoint::new(key, &Options::default()).err().expect(key).to_string();
        assert!(text.starts_with("api_key ") && !text.contains("s3"), "{text}");
    }
}

#[test]
fn version_2_is_asked_for_in_accept() {
    let options = Options { api_version: ApiVersion::V2, ..Options::default() };
    assert!(Endpoint::new(KEY, &options).unwrap().fields.text.contains("\r\naccept: */*; version=2\r\n"));
}

#[test]
fn the_user_agent_names_the_application_first() {
    let options = Options { user_agent: Some("shop/1.2".into()), ..Options::default() };
    let endpoint = Endpoint::new(KEY, &options).unwrap();
    let agent = concat!("\r\nuser-agent: shop/1.2 userengage/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(endpoint.fields.text.ends_with(agent));
    let options = Options { user_agent: Some("shop\r\nX: y".into()), ..Options::default() };
    assert!(Endpoint::new(KEY, &options).is_err());
}

#[test]
fn fields_of_every_head_are_bounded_and_the_largest_is_accepted() {
    let long = "x".repeat(1024);
    let options = Options { user_agent: Some(long.clone()), ..Options::default() };
    assert!(Endpoint::new(&long, &options).is_ok());
    assert!(Endpoint::new(&(long.clone() + "x"), &Options::default()).is_err());
    assert!(Endpoint::new(KEY, &Options { user_agent: Some(long.clone() + "x"), ..Options::default() }).is_err());
    assert!(with_base(&format!("https://h/{long}")).is_err());
}
