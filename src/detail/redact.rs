//! Whether words show something of a message or of the API key, however it was escaped, cut or re-cased. Pure.
//!
//! Both sides are reduced to what makes them recognizable, in one case and without escapes (see [`Forms`]). They share something when they have a run of [`RUN`] characters of
//! one of these forms in common. The words are short, so their runs are a small set; a content may have megabytes and is
//! read once, piece by piece.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::{memchr, memchr3};

/// How many characters in a row are no coincidence. A run is held in a `u64`, a byte for each character.
const RUN: usize = 8;

/// The fewest letters that can be told from a word of the service's, where a secret has no [`RUN`] of them.
const FEWEST: usize = 4;

/// How much of a secret is reduced at once, and how much of it once more with what follows, so that a run is seen whole.
const PIECE: usize = 8 * 1024;
const OVERLAP: usize = 512;

/// Words that are the service's own (Django REST Framework's, and the names of the attributes), whatever the content says.
const COMMON: &str = "content: This field is required. This field may not be blank. This field may not be null. Not found. \
    Invalid token. Invalid token header. No credentials provided. Token string should not contain spaces. \
    Authentication credentials were not provided. Incorrect authentication credentials. User inactive or deleted. \
    You do not have permission to perform this action. Method \"POST\" not allowed. Malformed request. \
    Could not satisfy the request Accept header. Unsupported media type \"application/json\" in request. \
    Request was throttled. Expected available in 0 seconds. Invalid version in \"Accept\" header. JSON parse error - \
    A valid integer is required. A valid number is required. Not a valid string. is not a valid choice. \
    Ensure this field has no more than 0 characters. Ensure this field has at least 0 characters. \
    Ensure this value is greater than or equal to 0. Ensure this value is less than or equal to 0. \
    object does not exist. Invalid data. Expected a dictionary, but got str. Value must be valid JSON. \
    Internal Server Error. Bad Request. Server Error (500). client_user_id source_context https:// http://";

/// What no words may show.
#[derive(Clone, Copy)]
pub(crate) struct Secrets<'a> {
    pub api_key: &'a str,
    pub content: &'a str,
    pub source_context: Option<&'a str>,
}

impl Secrets<'_> {
    /// Whether `words` show something of one of them. Of a secret with few letters ("Hi") that cannot be told.
    pub fn show_in(&self, words: &str) -> bool {
        if words.is_empty() {
            return false;
        }
        let words = Words::of(words);
        self.any_in(&words) && self.any_in(&words.without_common())
    }

    fn any_in(&self, words: &Words) -> bool {
        // As Base64, in which bytes stand in groups of three: at each place in a group.
        let in_base64 = |skipped: usize| {
            let key = self.api_key.as_bytes().get(skipped..).unwrap_or_default();
            words.show(&STANDARD_NO_PAD.encode(key))
        };
        words.show(self.api_key)
            || (0..3).any(in_base64)
            || self.source_context.is_some_and(|context| words.show(context))
            || words.show(self.content)
    }
}

/// The words of an answer, ready to be compared.
struct Words {
    forms: Forms,
    /// The runs of all forms, sorted.
    runs: Vec<u64>,
    /// Whether there is a run with this hash: most runs of a content need no search.
    hashes: Vec<bool>,
}

impl Words {
    fn of(words: &str) -> Self {
        let forms = forms(words.as_bytes());
        let runs = runs(&forms).collect();
        Words::with(forms, runs)
    }

    fn with(forms: Forms, mut runs: Vec<u64>) -> Self {
        runs.sort_unstable();
        let mut hashes = vec![false; 1 << HASH_BITS];
        for run in &runs {
            hashes[hash(*run)] = true;
        }
        Words { forms, runs, hashes }
    }

    fn without_common(self) -> Self {
        let common = Words::of(COMMON);
        let runs = self.runs.into_iter().filter(|run| !common.have(*run)).collect();
        Words::with(self.forms, runs)
    }

    fn have(&self, run: u64) -> bool {
        self.hashes[hash(run)] && self.runs.binary_search(&run).is_ok()
    }

    /// Whether they have a run in common with `secret`, or hold it whole where it is shorter than a run.
    fn show(&self, secret: &str) -> bool {
        let secret = secret.as_bytes();
        let mut start = 0;
        loop {
            let end = secret.len().min(start + PIECE);
            let piece = forms(&secret[start..end]);
            if runs(&piece).any(|run| self.have(run)) {
                return true;
            }
            if end == secret.len() {
                let [letters, bare, _, visible] = &piece;
                let is_one_piece = start == 0 && secret.len() >= RUN;
                return is_one_piece && [letters, bare, visible].iter().any(|form| self.show_whole(form));
            }
            start = end - OVERLAP;
        }
    }

    /// Looks for a secret that is shorter than a run as a whole.
    fn show_whole(&self, secret: &[u8]) -> bool {
        let is_in = |forms: &Forms| forms.iter().any(|form| form.windows(secret.len()).any(|part| part == secret));
        (FEWEST..RUN).contains(&secret.len()) && is_in(&self.forms) && !is_in(&forms(COMMON.as_bytes()))
    }
}

const HASH_BITS: u32 = 14;

fn hash(run: u64) -> usize {
    (run.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - HASH_BITS)) as usize
}

/// What is compared of a text: its letters and digits, with its tags and without; without tags those of ASCII alone, which
/// are left where the others were named (`&eacute;`) or garbled; and everything but white space.
type Forms = [Vec<u8>; 4];

fn forms(text: &[u8]) -> Forms {
    let text = unescaped(text);
    let Folded { letters, ascii, visible } = folded(&text);
    if memchr(b'<', &text).is_none() {
        return [letters, Vec::new(), ascii, visible];
    }
    let bare = folded(&without_tags(&text));
    [letters, bare.letters, bare.ascii, visible]
}

fn runs(forms: &Forms) -> impl Iterator<Item = u64> {
    forms.iter().flat_map(|form| form.windows(RUN)).filter_map(|run| run.try_into().ok()).map(u64::from_be_bytes)
}

/// A text in one case, a byte for each character.
struct Folded {
    letters: Vec<u8>,
    /// The letters of ASCII; empty where there are no others.
    ascii: Vec<u8>,
    visible: Vec<u8>,
}

/// Others than ASCII's characters share 128 values: that two different runs become the same is as good as impossible, and
/// would only hide words that could have been shown.
fn folded(text: &[u8]) -> Folded {
    let (mut letters, mut visible) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    for character in String::from_utf8_lossy(text).chars() {
        let mut push = |byte: u8| {
            visible.push(byte);
            if character.is_alphanumeric() {
                letters.push(byte);
            }
        };
        if character.is_ascii() {
            if character.is_ascii_graphic() {
                push(character.to_ascii_lowercase() as u8);
            }
        } else if character <= '\u{ffff}' && !character.is_whitespace() {
            // Through upper case, in which more letters are the same ("ß" is "SS").
            for folded in character.to_uppercase().flat_map(char::to_lowercase) {
                let hash = (folded as u32).wrapping_mul(0x9E37_79B1) >> 25;
                push(if folded.is_ascii() { folded as u8 } else { 0x80 | hash as u8 });
            }
        }
    }
    let ascii = if letters.is_ascii() { Vec::new() } else { letters.iter().copied().filter(u8::is_ascii).collect() };
    Folded { letters, ascii, visible }
}

fn without_tags(text: &[u8]) -> Vec<u8> {
    let mut left = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'<', rest) {
        left.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.first().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?')) {
            rest = memchr(b'>', rest).map_or(&[], |end| &rest[end + 1..]);
        }
    }
    left.extend_from_slice(rest);
    left
}

/// A text with the escapes of JSON, HTML, URLs and Python undone, as many times as it was escaped.
///
/// Reads from the end, so that what an escape stands for (the `&` of `&amp;lt;`) meets what follows it already unescaped.
/// Every escape is longer than what it stands for, so each byte is put and taken once.
fn unescaped(text: &[u8]) -> Vec<u8> {
    if memchr3(b'\\', b'&', b'%', text).is_none() {
        return text.to_vec();
    }
    let mut reversed = Vec::with_capacity(text.len());
    for byte in text.iter().rev() {
        reversed.push(*byte);
        while let Some((length, Meant { bytes, count })) = escape_at_end(&reversed) {
            reversed.truncate(reversed.len() - length);
            reversed.extend(bytes[..count].iter().rev());
        }
    }
    reversed.reverse();
    reversed
}

/// What an escape stands for.
struct Meant {
    bytes: [u8; 4],
    count: usize,
}

impl Meant {
    fn byte(byte: u8) -> Self {
        Meant { bytes: [byte, 0, 0, 0], count: 1 }
    }

    /// A character as UTF-8. Half of a surrogate pair stands for nothing: letters beyond U+FFFF do not count.
    fn character(number: u32) -> Self {
        let mut bytes = [0; 4];
        let count = char::from_u32(number).map_or(0, |letter| letter.encode_utf8(&mut bytes).len());
        Meant { bytes, count }
    }
}

/// The length of the escape that ends (for it is read backwards) with the last of `reversed`, and what it stands for.
fn escape_at_end(reversed: &[u8]) -> Option<(usize, Meant)> {
    let (introducer, rest) = reversed.split_last()?;
    if !matches!(introducer, b'\\' | b'&' | b'%') {
        return None;
    }
    let mut after = [0; 10];
    for (place, byte) in after.iter_mut().zip(rest.iter().rev()) {
        *place = byte.to_ascii_lowercase();
    }
    match (introducer, &after) {
        (b'%', digits) => Some((3, Meant::byte(byte_of(&digits[..2])?))),
        (b'\\', [b'u', digits @ ..]) => Some((6, Meant::character(number(&digits[..4], 16)?))),
        (b'\\', [b'x', digits @ ..]) => Some((4, Meant::byte(byte_of(&digits[..2])?))),
        (b'\\', [b'n' | b'r' | b't' | b'b' | b'f', ..]) => Some((2, Meant::byte(b' '))),
        (b'&', name) => {
            let length = memchr(b';', name)?;
            let meant = match &name[..length] {
                [b'#', b'x', digits @ ..] => Meant::character(number(digits, 16)?),
                [b'#', digits @ ..] => Meant::character(number(digits, 10)?),
                b"amp" => Meant::byte(b'&'),
                b"lt" => Meant::byte(b'<'),
                b"gt" => Meant::byte(b'>'),
                name if name.len() > 1 && name.iter().all(u8::is_ascii_alphabetic) => Meant::byte(b' '),
                _ => return None,
            };
            Some((length + 2, meant))
        }
        _ => None,
    }
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    number(digits, 16).and_then(|number| u8::try_from(number).ok())
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests;
