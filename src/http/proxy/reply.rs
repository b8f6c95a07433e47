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
mod tests;
