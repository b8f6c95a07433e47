//! The response fields that this library reads, and their meaning. Their names are listed here and nowhere else.

use std::borrow::Cow;

use ureq::http::Uri;

use crate::http::{Answer, ContentType};

/// A longer request id is not kept.
const LONGEST_ID: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    CfRay,
    Connection,
    ContentEncoding,
    ContentLength,
    ContentType,
    Date,
    Location,
    RetryAfter,
    Server,
    TransferEncoding,
}

/// The fields that are read in every answer. Names are in lower case; `split_name` relies on their first letters.
const READ_ALWAYS: [(&[u8], Name); 6] = [
    (b"cf-ray", Name::CfRay),
    (b"connection", Name::Connection),
    (b"content-encoding", Name::ContentEncoding),
    (b"content-length", Name::ContentLength),
    (b"content-type", Name::ContentType),
    (b"transfer-encoding", Name::TransferEncoding),
];
/// The fields that matter only in answers other than 2xx.
const READ_ON_ERRORS: [(&[u8], Name); 4] = [
    (b"date", Name::Date),
    (b"location", Name::Location),
    (b"retry-after", Name::RetryAfter),
    (b"server", Name::Server),
];

/// How the body of an answer is framed (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    /// `unambiguous`: there is no Content-Length beside it.
    Chunked {
        unambiguous: bool,
    },
    UntilEnd,
    /// The fields contradict each other, or name a coding that this library does not decode.
    Unknown,
}

/// The content of the fields read so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    answer: Answer,
    /// One bit for each field that was seen. Only the first field of a name counts.
    seen: u16,
    length: Length,
    coding: Coding,
    close: bool,
    keep_alive: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Absent,
    Bytes(u64),
    Malformed,
}

/// The transfer codings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Coding {
    #[default]
    Absent,
    Identity,
    Chunked,
    /// More than one coding, another coding, or a malformed field.
    Unknown,
}

impl Fields {
    /// Reads one field: its line, line end included, and the lines that continue it. Lines that are not fields, and
    /// fields that are not listed above, are skipped. But a malformed field that frames the body is recorded as
    /// malformed: an unreadable length is not the same as a missing one.
    pub fn read(&mut self, field: &[u8], is_success: bool) {
        let Some((name, rest)) = split_name(field, is_success) else {
            return;
        };
        let value = rest.and_then(value_of);
        match (name, &value) {
            (Name::ContentLength, Some(value)) => members(value).for_each(|member| self.length.add(member)),
            (Name::ContentLength, None) => self.length = Length::Malformed,
            (Name::TransferEncoding, Some(value)) => members(value).for_each(|member| self.coding.add(member)),
            (Name::TransferEncoding, None) => self.coding = Coding::Unknown,
            (Name::Connection, Some(value)) => {
                for option in members(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            (Name::Connection, None) => self.close = true,
            (Name::ContentEncoding, Some(value)) => {
                let is_coding = |member: &[u8]| !member.is_empty() && !member.eq_ignore_ascii_case(b"identity");
                self.answer.content_encoded |= members(value).any(is_coding);
            }
            (_, Some(value)) => self.read_single(name, value),
            (_, None) => {}
        }
    }

    /// Reads a field with a single value. The first field of a name counts, and only if its value is ASCII.
    fn read_single(&mut self, name: Name, value: &[u8]) {
        let bit = 1 << name as u16;
        if self.seen & bit != 0 {
            return;
        }
        self.seen |= bit;
        let Some(text) = std::str::from_utf8(value).ok().filter(|text| text.is_ascii()) else {
            return;
        };
        let answer = &mut self.answer;
        match name {
            Name::CfRay if is_plain_id(text) => answer.request_id = text.to_owned(),
            Name::CfRay => {}
            Name::ContentType => answer.content_type = ContentType::of(text),
            Name::Date => answer.date = Some(text.to_owned()),
            Name::Location => answer.location_host = host_of(text),
            Name::RetryAfter => answer.retry_after = Some(text.to_owned()),
            Name::Server => answer.cloudflare = text.eq_ignore_ascii_case("cloudflare"),
            Name::Connection | Name::ContentEncoding | Name::ContentLength | Name::TransferEncoding => {}
        }
    }

    pub fn framing(&self) -> Framing {
        match (self.coding, self.length) {
            (Coding::Unknown, _) => Framing::Unknown,
            (Coding::Chunked, length) => Framing::Chunked { unambiguous: length == Length::Absent },
            (_, Length::Malformed) => Framing::Unknown,
            (_, Length::Bytes(count)) => Framing::Length(count),
            (_, Length::Absent) => Framing::UntilEnd,
        }
    }

    /// Whether the peer keeps the connection open after this answer.
    pub fn keeps_alive(&self, http_1_1: bool) -> bool {
        !self.close && (http_1_1 || self.keep_alive)
    }

    /// The answer, with the parts that come from fields filled in.
    pub fn into_answer(self) -> Answer {
        self.answer
    }
}

impl Length {
    fn add(&mut self, member: &[u8]) {
        *self = match (*self, parse_length(member)) {
            (Length::Absent, Some(count)) => Length::Bytes(count),
            (Length::Bytes(before), Some(count)) if before == count => Length::Bytes(count),
            _ => Length::Malformed,
        };
    }
}

impl Coding {
    fn add(&mut self, member: &[u8]) {
        *self = match *self {
            Coding::Absent if member.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
            Coding::Absent if member.eq_ignore_ascii_case(b"identity") => Coding::Identity,
            _ => Coding::Unknown,
        };
    }
}

/// Splits a listed field into its name and the text after the colon. The text is `None` if the line is malformed: a
/// control character before the name, or anything but blanks between the name and the colon.
fn split_name(field: &[u8], is_success: bool) -> Option<(Name, Option<&[u8]>)> {
    // A continuation line without a field before it, at the start of the head. It is skipped (RFC 9112, section 2.2).
    if matches!(field.first()?, b' ' | b'\t') {
        return None;
    }
    let start = field.iter().position(|byte| !byte.is_ascii_control() || *byte == b'\n')?;
    let line = &field[start..];
    let (length, name) = match line[0].to_ascii_lowercase() {
        b'c' | b't' => find(&READ_ALWAYS, line)?,
        b'd' | b'l' | b'r' | b's' if !is_success => find(&READ_ON_ERRORS, line)?,
        _ => return None,
    };
    let rest = &line[length..];
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let is_sound = start == 0 && rest.get(blanks) == Some(&b':');
    Some((name, is_sound.then(|| &rest[blanks + 1..])))
}

/// Finds the name at the start of a line. Returns its length, too.
fn find(names: &[(&[u8], Name)], line: &[u8]) -> Option<(usize, Name)> {
    // Check the end of the name first: it is cheap, and rules out nearly all names.
    let begins_with = |name: &[u8]| {
        line.get(name.len()).is_some_and(|next| !IS_TOKEN[usize::from(*next)])
            && line[..name.len()].eq_ignore_ascii_case(name)
    };
    names.iter().find(|(name, _)| begins_with(name)).map(|(name, found)| (name.len(), *found))
}

/// The characters of a field name: a token (RFC 9110, section 5.6.2).
static IS_TOKEN: [bool; 256] = {
    let mut is_token = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        is_token[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < marks.len() {
        is_token[marks[at] as usize] = true;
        at += 1;
    }
    is_token
};

/// The value of a field: its lines, trimmed and joined by a space. `None` if it has a control character.
fn value_of(rest: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_sound = |line: &[u8]| !line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    if let [line @ .., b'\r', b'\n'] = rest
        && is_sound(line)
    {
        return Some(Cow::Borrowed(trim(line)));
    }
    let mut value = Cow::Borrowed(&rest[..0]);
    for line in rest.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = trim(line.strip_suffix(b"\r").unwrap_or(line));
        if !is_sound(line) {
            return None;
        }
        if value.is_empty() {
            value = Cow::Borrowed(line);
        } else if !line.is_empty() {
            let value = value.to_mut();
            value.push(b' ');
            value.extend_from_slice(line);
        }
    }
    Some(value)
}

/// The members of a comma-separated list.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// Removes the blanks (space, tab) at both ends.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Parses a length: digits only, without a sign, within a u64.
fn parse_length(member: &[u8]) -> Option<u64> {
    if member.is_empty() {
        return None;
    }
    member.iter().try_fold(0u64, |count, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        count.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether a text can only be an id. The request id is shown to people, and any other text could echo the request.
fn is_plain_id(text: &str) -> bool {
    text.len() <= LONGEST_ID && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn host_of(location: &str) -> Option<String> {
    location.parse::<Uri>().ok()?.host().map(str::to_owned)
}
