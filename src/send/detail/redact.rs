//! Redacts: finds out whether words show a part of a message or of the API key, also if it was escaped, cut or changed
//! in case. No I/O.
//!
//! Both the words and the secrets are normalized to one case and without escapes (see [`Forms`]). The words show a
//! secret if the two have a run of [`RUN`] characters in common, in any of the forms. The words are short, so their
//! runs are a small set. A content may have megabytes; it is read once, piece by piece.
//!
//! Recognized: the escapes of JSON, JavaScript, Python, HTML and URLs, also nested (see [`escape`]); tags, white space
//! and punctuation that were added or removed; UTF-8 that was read as Latin-1 or Windows-1252; Base64 (of a secret of
//! up to [`MOST_IN_BASE64`]). Words in which letters were lost cannot be compared, so they count as showing a secret
//! (see [`MOST_LOST`]). Not recognized: other Unicode normal forms (NFD, NFKC), hexadecimal, quoted-printable,
//! Punycode, and text that was reversed, translated or encrypted.
//!
//! Every copy of a secret is wiped ([`Wiped`]). It is made with enough capacity, because a `Vec` that grows leaves a
//! copy behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::{memchr, memchr3};
use zeroize::Zeroizing;

use super::is_format;

/// How many equal characters in a row count as a match, not as a coincidence. A run fits a `u64`, one byte per
/// character.
const RUN: usize = 8;

/// The fewest letters of a secret shorter than [`RUN`] that are searched for. With fewer, any word of the service could
/// match. A letter outside ASCII counts twice, because words in such scripts are shorter.
const FEWEST: usize = 4;

/// If a message has more bytes than this, all words are redacted.
const MOST_COMPARED: usize = 4 * 1024 * 1024;

/// The longest secret that is searched for as Base64.
const MOST_IN_BASE64: usize = 4 * 1024;

/// How many letters of the words may be lost: written as an HTML name (`&eacute;`; the list of names is too long to
/// keep), or garbled. With more, the words count as showing a secret.
const MOST_LOST: usize = 2;

/// How many times a text may have been escaped. Words that were escaped more often count as showing a secret.
const DEEPEST: usize = 6;

/// How much of a secret is normalized at once.
const PIECE: usize = 8 * 1024;

/// How much of a piece is repeated at the start of the next one, so that no run is missed at the border.
const OVERLAP: usize = 512;

/// Words that are always shown, even if the content has them, too: the service's own (from Django REST Framework), and
/// the names of the attributes.
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

/// What must not be shown.
#[derive(Clone, Copy)]
pub(crate) struct Secrets<'a> {
    pub api_key: &'a str,
    pub content: &'a str,
    pub source_context: Option<&'a str>,
}

impl Secrets<'_> {
    /// Whether `words` show a part of a secret. A secret with very few letters ("Hi") is not searched for.
    pub fn show_in(&self, words: &str) -> bool {
        if words.is_empty() {
            return false;
        }
        let context = self.source_context.unwrap_or_default();
        // Comparing more would take too long: a call must end soon after its deadline.
        if self.content.len() + context.len() > MOST_COMPARED {
            return true;
        }
        let words = Words::of(words);
        words.lost > MOST_LOST || [self.api_key, context, self.content].iter().any(|secret| words.show(secret))
    }
}

/// The words of an answer, normalized.
struct Words {
    /// The forms of the words as received, and of the text that they were if they are UTF-8 read as Windows-1252.
    forms: [Forms; 2],
    /// The runs of all forms except the runs of [`COMMON`]. Sorted.
    runs: Vec<u64>,
    /// Whether a run has this hash. Most runs of a content then need no binary search.
    hashes: Vec<bool>,
    /// How many letters were lost.
    lost: usize,
}

impl Words {
    fn of(words: &str) -> Self {
        let plain: String = words.chars().filter(|letter| !is_format(*letter)).collect();
        let forms = [forms(plain.as_bytes()), forms(&as_windows_1252(words))];
        let common = common();
        let mut of_common: Vec<u64> = common.runs().collect();
        of_common.sort_unstable();
        let is_own = |run: &u64| of_common.binary_search(run).is_err();
        let mut runs: Vec<u64> = forms.iter().flat_map(Forms::runs).filter(is_own).collect();
        runs.sort_unstable();
        let mut hashes = vec![false; 1 << HASH_BITS];
        for run in &runs {
            hashes[hash(*run)] = true;
        }
        let lost = forms[0].named + forms[0].garbled;
        Words { forms, runs, hashes, lost }
    }

    /// Whether the words have this run.
    fn have(&self, run: u64) -> bool {
        self.hashes[hash(run)] && self.runs.binary_search(&run).is_ok()
    }

    /// Whether the words show a part of `secret`, as it is or as Base64.
    fn show(&self, secret: &str) -> bool {
        // Base64 encodes groups of three bytes, so try each position in a group. Drop the last letter: the bytes that
        // follow the secret change it.
        let in_base64 = |skipped: usize| {
            let bytes = secret.as_bytes().get(skipped..).unwrap_or_default();
            let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(bytes));
            self.show_plain(&encoded.as_bytes()[..bytes.len() * 4 / 3])
        };
        self.show_plain(secret.as_bytes()) || secret.len() <= MOST_IN_BASE64 && (0..3).any(in_base64)
    }

    /// Whether the words have a run in common with `secret`, or contain all of a secret that is shorter than a run.
    fn show_plain(&self, secret: &[u8]) -> bool {
        let (mut start, mut named) = (0, 0);
        loop {
            let end = secret.len().min(start + PIECE);
            let piece = forms(&secret[start..end]);
            named += piece.named;
            // A letter that the secret writes as an HTML name cannot be compared with the letter itself in the words.
            if piece.runs().any(|run| self.have(run)) || named > MOST_LOST && self.have_non_ascii() {
                return true;
            }
            if end == secret.len() {
                return start == 0 && [&piece.letters, &piece.bare, &piece.visible].iter().any(|form| self.hold(form));
            }
            start = end - OVERLAP;
        }
    }

    fn have_non_ascii(&self) -> bool {
        !self.forms[0].letters.is_ascii()
    }

    /// Whether the words contain all of a secret that is shorter than a run.
    fn hold(&self, secret: &[u8]) -> bool {
        let weight = secret.len() + secret.iter().filter(|byte| !byte.is_ascii()).count();
        secret.len() < RUN
            && weight >= FEWEST
            && self.forms.iter().any(|forms| forms.hold(secret))
            && !common().hold(secret)
    }
}

fn common() -> Forms {
    forms(COMMON.as_bytes())
}

const HASH_BITS: u32 = 14;

fn hash(run: u64) -> usize {
    (run.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - HASH_BITS)) as usize
}

/// Bytes that are overwritten when they are dropped.
type Wiped = Zeroizing<Vec<u8>>;

fn with_room_for(length: usize) -> Wiped {
    Zeroizing::new(Vec::with_capacity(length))
}

/// The normalized forms of a text, in one case and with one byte for each character.
struct Forms {
    /// The letters and digits.
    letters: Wiped,
    /// The letters outside tags; empty if there are no tags.
    bare: Wiped,
    /// Only the ASCII letters outside tags: these remain if the others were written as HTML names or garbled. Empty if
    /// all letters are ASCII.
    ascii: Wiped,
    /// Everything except white space.
    visible: Wiped,
    /// How many characters are written as HTML names.
    named: usize,
    /// How many characters a valid text cannot have: control characters, U+FFFD, invalid UTF-8.
    garbled: usize,
}

impl Forms {
    fn all(&self) -> [&Wiped; 4] {
        [&self.letters, &self.bare, &self.ascii, &self.visible]
    }

    fn runs(&self) -> impl Iterator<Item = u64> {
        let runs = self.all().into_iter().flat_map(|form| form.windows(RUN));
        runs.filter_map(|run| run.try_into().ok()).map(u64::from_be_bytes)
    }

    fn hold(&self, secret: &[u8]) -> bool {
        self.all().iter().any(|form| form.windows(secret.len()).any(|part| part == secret))
    }
}

fn forms(text: &[u8]) -> Forms {
    let (text, named) = unescaped(text);
    let Folded { letters, visible, garbled } = folded(&text);
    let bare = if memchr(b'<', &text).is_some() { folded(&without_tags(&text)).letters } else { Wiped::default() };
    let untagged = if bare.is_empty() { &letters } else { &bare };
    let mut ascii = with_room_for(untagged.len());
    if !untagged.is_ascii() {
        ascii.extend(untagged.iter().filter(|byte| byte.is_ascii()));
    }
    Forms { letters, bare, ascii, visible, named, garbled }
}

struct Folded {
    letters: Wiped,
    visible: Wiped,
    garbled: usize,
}

/// Converts a text to one case, with one byte for each character. All characters outside ASCII share 128 values. Two
/// different runs are very unlikely to become equal, and that would only redact words that could have been shown.
fn folded(text: &[u8]) -> Folded {
    // A letter of two bytes may become three letters in the other case.
    let [mut letters, mut visible] = [(); 2].map(|()| with_room_for(2 * text.len()));
    let mut garbled = 0;
    for chunk in text.utf8_chunks() {
        garbled += usize::from(!chunk.invalid().is_empty());
        for character in chunk.valid().chars() {
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
            } else if character.is_control() || character == char::REPLACEMENT_CHARACTER {
                garbled += 1;
            } else if !character.is_whitespace() && !is_format(character) {
                // Convert to upper case first, which makes more letters equal ("ß" becomes "SS").
                for folded in character.to_uppercase().flat_map(char::to_lowercase) {
                    let hash = (folded as u32).wrapping_mul(0x9E37_79B1) >> 25;
                    push(if folded.is_ascii() { folded as u8 } else { 0x80 | hash as u8 });
                }
            }
        }
    }
    Folded { letters, visible, garbled }
}

/// Removes HTML tags.
fn without_tags(text: &[u8]) -> Wiped {
    let mut left = with_room_for(text.len());
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

/// The bytes of `text` before they were read as Windows-1252 or Latin-1. Empty if all of it is ASCII.
fn as_windows_1252(text: &str) -> Vec<u8> {
    // The characters of Windows-1252 at 0x80 to 0x9F. Elsewhere, and at its unused positions, it equals Latin-1.
    const OWN: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let mut bytes = Vec::new();
    if !text.is_ascii() {
        for letter in text.chars() {
            let own = OWN.chars().zip(0x80..).find(|(own, _)| *own == letter).map(|(_, byte)| byte);
            match own.or_else(|| u8::try_from(letter).ok()) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    bytes
}

/// Removes the escapes of a text, as many times as it was escaped. Also counts the characters written as HTML names.
fn unescaped(text: &[u8]) -> (Wiped, usize) {
    let mut text = Zeroizing::new(text.to_vec());
    let mut named = 0;
    for depth in 0.. {
        if memchr3(b'\\', b'&', b'%', &text).is_none() {
            break;
        }
        let once = unescaped_once(&text, &mut named);
        // Every escape is longer than its meaning, so the same length means that nothing is left.
        if once.len() == text.len() {
            break;
        }
        text = once;
        if depth == DEEPEST {
            named += MOST_LOST + 1;
            break;
        }
    }
    (text, named)
}

fn unescaped_once(text: &[u8], named: &mut usize) -> Wiped {
    let mut plain = with_room_for(text.len());
    let mut rest = text;
    // The first half of a surrogate pair. The next escape completes it.
    let mut half = None;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'&' | b'%')) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let high = half.take().filter(|_| at == 0);
        let (length, meant) = escape(rest).unwrap_or((1, Meant::Byte(rest[0])));
        rest = &rest[length..];
        let number = match (meant, high) {
            (Meant::Byte(byte), _) => {
                plain.push(byte);
                continue;
            }
            (Meant::Named, _) => {
                *named += 1;
                continue;
            }
            (Meant::Character(number @ 0xD800..=0xDBFF), _) => {
                half = Some(number);
                continue;
            }
            (Meant::Character(low @ 0xDC00..=0xDFFF), Some(high)) => {
                0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            }
            (Meant::Character(number), _) => number,
        };
        if let Some(letter) = char::from_u32(number) {
            plain.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    plain.extend_from_slice(rest);
    plain
}

/// The meaning of an escape.
enum Meant {
    Byte(u8),
    /// A code point, or half of a surrogate pair.
    Character(u32),
    /// A character written as an HTML name.
    Named,
}

/// The HTML names that are replaced: those of frequent characters that are not letters.
const KNOWN: [(&[u8], u8); 6] =
    [(b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"quot", b'"'), (b"apos", b'\''), (b"nbsp", b' ')];

/// The escape at the start of `text`: its length and its meaning.
fn escape(text: &[u8]) -> Option<(usize, Meant)> {
    match text {
        [b'\\', ..] => Some(backslashed(text)),
        [b'%', b'u' | b'U', digits @ ..] => Some((6, Meant::Character(hex(digits, 4)?))),
        [b'%', digits @ ..] => Some((3, Meant::Byte(hex(digits, 2)? as u8))),
        [b'&', b'#', b'x' | b'X', rest @ ..] => numbered(rest, 16).map(|(length, meant)| (3 + length, meant)),
        [b'&', b'#', rest @ ..] => numbered(rest, 10).map(|(length, meant)| (2 + length, meant)),
        [b'&', name @ ..] => {
            // The longest name has 31 letters.
            let length = memchr(b';', &name[..name.len().min(32)])?;
            let name = &name[..length];
            let known = KNOWN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
            let is_name = length > 1 && name[0].is_ascii_alphabetic() && name.iter().all(u8::is_ascii_alphanumeric);
            let meant = match known {
                Some((_, byte)) => Meant::Byte(*byte),
                None if is_name => Meant::Named,
                None => return None,
            };
            Some((length + 2, meant))
        }
        _ => None,
    }
}

/// An escape after backslashes. Escaping doubles backslashes, so any number of them counts as one.
fn backslashed(text: &[u8]) -> (usize, Meant) {
    let slashes = text.iter().take_while(|byte| **byte == b'\\').count();
    let rest = &text[slashes..];
    let meant = match rest {
        [b'u' | b'U', b'{', digits @ ..] => numbered(digits, 16).map(|(length, meant)| (2 + length, meant)),
        // Python's form with eight digits.
        [b'U', b'0', b'0', b'0' | b'1', ..] if hex(&rest[1..], 8).is_some() => {
            hex(&rest[1..], 8).map(|number| (9, Meant::Character(number)))
        }
        [b'u' | b'U', digits @ ..] => hex(digits, 4).map(|number| (5, Meant::Character(number))),
        [b'x' | b'X', digits @ ..] => hex(digits, 2).map(|number| (3, Meant::Byte(number as u8))),
        [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', ..] => {
            Some((3, Meant::Byte((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'))))
        }
        [b'n' | b'r' | b't' | b'b' | b'f' | b'N' | b'R' | b'T' | b'B' | b'F', ..] => Some((1, Meant::Byte(b' '))),
        _ => None,
    };
    let (length, meant) = meant.unwrap_or((0, Meant::Byte(b' ')));
    (slashes + length, meant)
}

/// A code point with any number of digits, and the `;` or `}` that may end it.
fn numbered(text: &[u8], radix: u32) -> Option<(usize, Meant)> {
    let length = text.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let number = number(&text[..length], radix).filter(|number| *number <= u32::from(char::MAX))?;
    let is_ended = matches!(text.get(length), Some(b';' | b'}'));
    Some((length + usize::from(is_ended), Meant::Character(number)))
}

fn hex(text: &[u8], length: usize) -> Option<u32> {
    number(text.get(..length)?, 16)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests;
