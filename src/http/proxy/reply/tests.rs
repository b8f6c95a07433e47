use super::*;

fn refused(status: u16) -> Reply {
    Reply::Refused { status, schemes: Vec::new() }
}

#[test]
fn an_answer_is_read_the_same_however_it_is_split() {
    let cases: &[(&str, Reply)] = &[
        ("HTTP/1.1 200 Connection established\r\n\r\n", Reply::Open),
        ("HTTP/1.0 200\r\n\r\n", Reply::Open),
        ("HTTP/1.1 299 x\n\n", Reply::Open),
        ("HTTP/1.1 200 OK\nVia: x\r\n\n", Reply::Open),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Reply::Open),
        ("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\tmore\r\nno colon\r\n: empty\r\nB : \u{fffd}\r\n\r\n", Reply::Open),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            Reply::Open,
        ),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\n", refused(403)),
        ("HTTP/1.1 502 Bad Gateway\n", refused(502)),
        ("HTTP/1.1 302 Found\r\n", refused(302)),
        ("HTTP/1.1 101 Switching Protocols\r\n", refused(101)),
        ("HTTP/1.1 407 \r\nX: y\r\n\r\n", refused(407)),
        ("SSH-", Reply::NotHttp),
        ("\r\nH", Reply::NotHttp),
        ("HTTP/2 ", Reply::NotHttp),
        ("HTTP/1.1 099 x\r\n", Reply::NotHttp),
        ("HTTP/1.1 +20 x\r\n", Reply::NotHttp),
        ("HTTP/1.1 2000\r\n", Reply::NotHttp),
        ("HTTP/1.1 20\r\n", Reply::NotHttp),
        ("HTTP/1.1\r\n", Reply::NotHttp),
        ("HTTP/1.x 200 OK\r\n", Reply::NotHttp),
        ("HTTP/1.1 200 OK\r\n\r\n\x15", Reply::TooEarly),
        ("HTTP/1.1 100 Continue\r\n\r\nSSH", Reply::NotHttp),
    ];
    for (text, reply) in cases {
        assert_eq!(read(text.as_bytes(), false).as_ref(), Some(reply), "{text:?}");
        // With fewer bytes the result is not certain. Only wrong bytes are refused at once.
        if matches!(reply, Reply::Open | Reply::Refused { .. }) {
            for end in 0..text.len() {
                assert_eq!(read(&text.as_bytes()[..end], false), None, "{:?}", &text.as_bytes()[..end]);
            }
        }
    }
}

#[test]
fn an_answer_that_was_cut_off_never_opens_the_tunnel() {
    for text in ["HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"] {
        for end in 0..text.len() - 1 {
            assert_eq!(read(&text.as_bytes()[..end], true), None, "{:?}", &text[..end]);
        }
    }
    let cut = b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Au";
    assert_eq!(read(cut, false), None);
    assert_eq!(read(cut, true), Some(Reply::Refused { status: 407, schemes: vec!["NTLM"] }));
}

#[test]
fn the_schemes_that_a_proxy_accepts_are_found() {
    for (fields, schemes) in [
        ("Proxy-Authenticate: Basic realm=\"a, NTLM b\"\r\n", vec!["Basic"]),
        ("proxy-authenticate: negotiate\r\nPROXY-AUTHENTICATE:NTLM\r\n", vec!["Negotiate", "NTLM"]),
        ("Proxy-Authenticate: NTLM TlRMTVNTUAAC==, NTLM\r\n", vec!["NTLM"]),
        (
            "Proxy-Authenticate: Digest realm=\"x\\\", NTLM\", nonce=\"y\",\r\n Basic realm=\"z\"\r\n",
            vec!["Digest", "Basic"],
        ),
        ("WWW-Authenticate: NTLM\r\nProxy-Authenticate: Custom x=y\r\n", vec![]),
        ("Proxy-Authenticate\r\nX: y\r\n Basic\r\n", vec![]),
    ] {
        let head = format!("HTTP/1.1 407 Proxy Authentication Required\r\n{fields}\r\n");
        assert_eq!(read(head.as_bytes(), false), Some(Reply::Refused { status: 407, schemes }), "{fields:?}");
    }
}
