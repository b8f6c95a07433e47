//! Parses a proxy's answer to CONNECT. No I/O.

use std::iter;

/// The authentication schemes that an error text may name.
const SCHEMES: [&str; 6] = ["Basic", "Bearer", "Digest", "Kerberos", "Negotiate", "NTLM"];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The tunnel is open, and no bytes came through it yet.
    Open,
    /// The tunnel is open, but bytes already came through it. That is wrong: in TLS and HTTP the client speaks first.
    TooEarly,
    /// Any final status other than 2xx. For 407 also the authentication schemes that the proxy accepts, if known here.
    Refused {
        status: u16,
        schemes: Vec<&'static str>,
    },
    NotHttp,
}

/// Parses `bytes`, everything received so far. `None` while the result is not certain. `ended`: no more bytes will
/// come.
///
/// A 2xx answer has no body, whatever its fields say (RFC 9110, section 9.3.6). Lines may end in a lone LF.
pub(super) fn read(bytes: &[u8], ended: bool) -> Option<Reply> {
    let mut rest = bytes;
    loop {
        if !b"HTTP/1.".iter().zip(rest).all(|(expected, byte)| expected == byte) {
            return Some(Reply::NotHttp);
        }
        let (line, after) = next_line(rest)?;
        let Some(status) = status_of(line) else {
            return Some(Reply::NotHttp);
        };
        let is_interim = matches!(status, 100 | 102..=199);
        if !is_interim && status != 407 && !(200..=299).contains(&status) {
            return Some(Reply::Refused { status, schemes: Vec::new() });
        }
        let mut fields = Vec::new();
        let mut lines = after;
        let body = loop {
            match next_line(lines) {
                Some((b"", body)) => break body,
                Some((line, after)) => {
                    fields.push(line);
                    lines = after;
                }
                None if status == 407 && ended => break lines,
                None => return None,
            }
        };
        match status {
            407 => return Some(Reply::Refused { status, schemes: schemes(&fields) }),
            _ if is_interim => rest = body,
            _ if body.is_empty() => return Some(Reply::Open),
            _ => return Some(Reply::TooEarly),
        }
    }
}

/// Splits off the first line, without its line end.
fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

/// The status of a status line, `HTTP/1.1 200 OK`.
fn status_of(line: &[u8]) -> Option<u16> {
    let [minor, b' ', digits @ ..] = line.strip_prefix(b"HTTP/1.")? else { return None };
    let (digits, rest) = digits.split_at_checked(3)?;
    let is_status = minor.is_ascii_digit() && digits.iter().all(u8::is_ascii_digit) && matches!(rest, [] | [b' ', ..]);
    let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit & 0xf));
    (is_status && number >= 100).then_some(number)
}

/// The known schemes in the Proxy-Authenticate fields. A line that starts with a blank continues the line before it.
fn schemes(fields: &[&[u8]]) -> Vec<&'static str> {
    let mut challenges = Vec::new();
    let mut is_challenge = false;
    for line in fields {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if is_challenge {
                challenges.extend_from_slice(line);
            }
            continue;
        }
        let (name, value) = memchr::memchr(b':', line).map_or((*line, &b""[..]), |at| (&line[..at], &line[at + 1..]));
        is_challenge = name.trim_ascii().eq_ignore_ascii_case(b"proxy-authenticate");
        if is_challenge {
            challenges.push(b',');
            challenges.extend_from_slice(value);
        }
    }
    let mut found = Vec::new();
    for element in elements(&challenges) {
        let word = element.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let known = SCHEMES.into_iter().find(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()));
        found.extend(known.filter(|scheme| !found.contains(scheme)));
    }
    found
}

/// The elements of a comma-separated list. Commas in quoted strings do not separate.
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list);
    iter::from_fn(move || {
        let bytes = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = bytes.iter().position(|byte| {
            let is_escaped = std::mem::take(&mut escaped);
            match byte {
                _ if is_escaped => false,
                b'\\' => {
                    escaped = quoted;
                    false
                }
                b'"' => {
                    quoted = !quoted;
                    false
                }
                byte => *byte == b',' && !quoted,
            }
        });
        rest = end.map(|end| &bytes[end + 1..]);
        Some(end.map_or(bytes, |end| &bytes[..end]))
    })
}

#[cfg(test)]
mod tests {
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
            (
                "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\tmore\r\nno colon\r\n: empty\r\nB : \u{fffd}\r\n\r\n",
                Reply::Open,
            ),
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
}
