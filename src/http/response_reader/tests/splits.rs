//! Two properties: the outcome does not depend on how the bytes are split, and heads are read as another parser reads
//! them.

use super::*;
use corpus::{answers, heads};

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Parts of 1 to 40 bytes.
    fn split<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut parts = vec![];
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at((1 + self.below(40)).min(bytes.len()));
            parts.push(part);
            bytes = rest;
        }
        parts
    }

    /// Makes one to four changes.
    fn mutate(&mut self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        const PIECES: &str = "\r\n|\n|\r|\r\n\r\n|\r\n |\n\t| |\t|:|,|;|\0|\x01|\x7f|\u{e9}|0|9|1|-|chunked|identity|\
            close|Content-Length: 9\r\n|Transfer-Encoding: chunked\r\n|CF-Ray: x|Retry-After|Date: y\r\n|HTTP/1.1 |\
            HTTP/1.0 503 X\r\n|HTTP/1.1 100 X\r\n\r\n|0\r\n\r\n|5;x\r\n";
        let pieces: Vec<_> = PIECES.split('|').collect();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(12)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] = self.next() as u8,
                1 => drop(bytes.drain(at..end)),
                2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
                3 => {
                    let other = self.pick(others);
                    let from = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                4 if at > 0 => bytes.truncate(at),
                _ => drop(bytes.splice(at..end.min(at + 1), self.pick(&pieces).bytes())),
            }
        }
    }
}

fn assert_same(parts: &[&[u8]], clean: bool, whole: &Outcome) {
    let split = outcome_of(parts.iter().copied(), clean);
    assert!(
        split == *whole,
        "in {} parts: {split:?}\nin one: {whole:?}\n{}",
        parts.len(),
        parts.concat().escape_ascii()
    );
}

fn single_bytes(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).collect()
}

#[test]
fn the_outcome_does_not_depend_on_how_an_answer_is_split() {
    let mut random = Random(1);
    for answer in answers() {
        for clean in [true, false] {
            let whole = outcome_of([&answer[..]], clean);
            for at in 0..=answer.len() {
                let (start, rest) = answer.split_at(at);
                assert_same(&[start, rest], clean, &whole);
            }
            assert_same(&single_bytes(&answer), clean, &whole);
            for _ in 0..200 {
                assert_same(&random.split(&answer), clean, &whole);
            }
        }
    }
}

#[test]
fn the_outcome_of_a_truncated_answer_does_not_depend_on_how_it_is_split() {
    let mut random = Random(2);
    for answer in answers() {
        for end in 0..answer.len() {
            let (answer, clean) = (&answer[..end], end % 2 == 0);
            let whole = outcome_of([answer], clean);
            assert!(!whole.can_reuse || whole.is_done);
            assert_same(&random.split(answer), clean, &whole);
            if end < 1000 {
                assert_same(&single_bytes(answer), clean, &whole);
            }
        }
    }
}

#[test]
fn the_outcome_of_a_mutated_answer_does_not_depend_on_how_it_is_split() {
    let mut random = Random(3);
    let answers: Vec<_> = answers().into_iter().filter(|answer| answer.len() < 1000).collect();
    for round in 0..50_000 {
        let mut answer = random.pick(&answers).clone();
        random.mutate(&mut answer, &answers);
        let whole = outcome_of([&answer[..]], round % 2 == 0);
        assert_same(&single_bytes(&answer), round % 2 == 0, &whole);
    }
}

/// A head as httparse reads it in its most lenient mode: the status, the version, and the fields with their lines
/// joined.
type Head = (u16, u8, Vec<(String, Vec<u8>)>);

/// `Ok(None)` if the head is not complete.
fn independent(mut bytes: &[u8]) -> Result<Option<Head>, httparse::Error> {
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true);
    loop {
        let mut fields = vec![httparse::EMPTY_HEADER; 500];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) = config.parse_response(&mut head, bytes)? else {
            return Ok(None);
        };
        let (code, minor) = (head.code.unwrap(), head.version.unwrap());
        if code != 101 && (100..200).contains(&code) {
            bytes = &bytes[length..];
            continue;
        }
        let unfold = |value: &[u8]| {
            let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
            lines.collect::<Vec<_>>().join(&b' ')
        };
        let fields = head.headers.iter().map(|field| (field.name.to_ascii_lowercase(), unfold(field.value))).collect();
        return Ok(Some((code, minor, fields)));
    }
}

/// The answer that a head stands for, without the body, and the framing of the body.
fn expected((code, _, fields): &Head) -> (Seen, Framing) {
    let all = |name: &str| fields.iter().filter(|(is, _)| is == name).map(|(_, value)| &value[..]).collect::<Vec<_>>();
    let first = |name: &str| {
        let value = String::from_utf8((*all(name).first()?).to_vec()).ok()?;
        value.is_ascii().then_some(value)
    };
    let of_failure = |name: &str| if (200..300).contains(code) { None } else { first(name) };
    let list = |name: &str| -> Vec<String> {
        let text = all(name).join(&b',');
        if all(name).is_empty() {
            return vec![];
        }
        String::from_utf8_lossy(&text)
            .split(',')
            .map(|member| member.trim_matches([' ', '\t']).to_lowercase())
            .collect()
    };
    let lengths: Vec<Option<u64>> = list("content-length")
        .iter()
        .map(|text| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten())
        .collect();
    let codings = list("transfer-encoding");
    let framing = match codings.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["chunked"] => Framing::Chunked { unambiguous: lengths.is_empty() },
        [] | ["identity"] => match lengths[..] {
            [] => Framing::UntilEnd,
            [Some(length), ..] if lengths.iter().all(|other| *other == Some(length)) => Framing::Length(length),
            _ => Framing::Unknown,
        },
        _ => Framing::Unknown,
    };
    let seen = Seen {
        status: *code,
        location_host: of_failure("location")
            .and_then(|to| to.parse::<ureq::http::Uri>().ok()?.host().map(str::to_owned)),
        content_type: first("content-type").map(|value| ContentType::of(&value)).unwrap_or_default(),
        content_encoded: list("content-encoding").iter().any(|coding| !matches!(coding.as_str(), "" | "identity")),
        retry_after: of_failure("retry-after"),
        date: of_failure("date"),
        request_id: first("cf-ray")
            .filter(|id| {
                id.len() <= 64 && id.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'))
            })
            .unwrap_or_default(),
        cloudflare: of_failure("server").is_some_and(|server| server.eq_ignore_ascii_case("cloudflare")),
        body: vec![],
        body_end: Whole,
        request_complete: true,
    };
    (seen, framing)
}

/// The framing that a reader has chosen. It has read the head, and no byte of the body.
fn framing_of(reader: &ResponseReader, answer: &Seen) -> Framing {
    match &reader.stage {
        Stage::Head => panic!("no head"),
        Stage::Length(length) => Framing::Length(*length),
        Stage::UntilEnd => Framing::UntilEnd,
        Stage::Chunks(_) => Framing::Chunked { unambiguous: true },
        Stage::Done if answer.body_end == Broken => Framing::Unknown,
        Stage::Done => Framing::Length(0),
    }
}

/// Compares with httparse. False if this reader is more lenient or stricter on purpose.
fn agrees_with_httparse(bytes: &[u8]) -> bool {
    let mut reader = ResponseReader::new();
    // Byte by byte, so that no byte of the body was read when the head ends.
    let fault = bytes.iter().find_map(|byte| if reader.has_head() { None } else { reader.push(&[*byte]).err() });
    let shown = || bytes.escape_ascii().to_string();
    let contains = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted));
    match independent(bytes) {
        Err(error) => {
            // httparse refuses a NUL, and a CR without its LF, even in a line that it would ignore.
            let has_bare_cr = bytes.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
            let in_fields = !matches!(error, httparse::Error::Status | httparse::Error::Version);
            assert!(fault.is_some() || in_fields && (contains(b"\0") || has_bare_cr), "{error}: {}", shown());
            fault.is_some()
        }
        Ok(None) => {
            // This reader refuses a status below 100 at its first digit.
            assert!(!reader.has_head() && (fault.is_none() || contains(b" 0")), "{}", shown());
            fault.is_none()
        }
        Ok(Some((code, ..))) if code < 100 => {
            assert!(fault.is_some(), "{}", shown());
            false
        }
        Ok(Some(head)) => {
            assert!(reader.has_head(), "{fault:?}: {}", shown());
            let (expected, framing) = expected(&head);
            let bodiless = matches!(expected.status, 101 | 204 | 304);
            let framing = if bodiless { Framing::Length(0) } else { framing };
            let mut answer = Seen::from(std::mem::take(&mut reader.answer));
            let read = framing_of(&reader, &answer);
            answer.body_end = Whole;
            assert_eq!(Seen { request_complete: true, ..answer }, expected, "{}", shown());
            match framing {
                Framing::Chunked { .. } if matches!(read, Framing::Chunked { .. }) => true,
                _ if read == framing => true,
                // A malformed line that names a length: httparse ignores it.
                _ => {
                    assert_eq!(read, Framing::Unknown, "{framing:?}: {}", shown());
                    assert!(contains(b"content-length") || contains(b"transfer-encoding"), "{}", shown());
                    false
                }
            }
        }
    }
}

#[test]
fn heads_are_read_as_httparse_reads_them() {
    let disagreed: Vec<String> =
        heads().iter().filter(|head| !agrees_with_httparse(head)).map(|head| head.escape_ascii().to_string()).collect();
    // NUL, bare CR, a malformed Content-Length, a status below 100.
    assert_eq!(disagreed.len(), 4, "{disagreed:#?}");
}

#[test]
fn mutated_heads_are_read_as_httparse_reads_them() {
    let mut random = Random(4);
    let heads: Vec<_> = heads().into_iter().filter(|head| head.len() < 1000).collect();
    let (rounds, mut agreed) = (10_000, 0);
    for _ in 0..rounds {
        let mut head = random.pick(&heads).clone();
        random.mutate(&mut head, &heads);
        agreed += usize::from(agrees_with_httparse(&head));
    }
    assert!(agreed > rounds * 8 / 10, "{agreed} of {rounds}");
}
