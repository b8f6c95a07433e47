//! Whether words show something of a message or of the API key, however it was escaped, cut or re-cased. Pure.
//!
//! Both sides are reduced to what makes them recognizable, in one case and without escapes (see [`Forms`]). They share
//! something when they have a run of [`RUN`] characters of one of these forms in common. The words are short, so their runs
//! are a small set; a content may have megabytes and is read once, piece by piece.
//!
//! Recognized: the escapes of JSON, JavaScript, Python, HTML and URLs, also nested (see [`escape`]); tags, white space and
//! punctuation put in or left out; UTF-8 that was read as Latin-1 or Windows-1252; Base64 (of a content: up to
//! [`MOST_IN_BASE64`]). Words in which letters were lost are not compared but count as showing something (see
//! [`MOST_LOST`]). Not recognized: other Unicode normal forms (NFD, NFKC), hexadecimal, quoted-printable, Punycode, a text
//! that was reversed, translated or encrypted.
//!
//! Every copy of a secret is wiped ([`Wiped`]), and made with enough room: growing would leave a copy behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::{memchr, memchr3};
use zeroize::Zeroizing;

use super::is_format;

/// How many characters in a row are no coincidence. A run is held in a `u64`, a byte for each character.
const RUN: usize = 8;

/// The fewest letters that can be told from a word of the service's, where a secret has no [`RUN`] of them. Others than
/// ASCII's count twice: fewer of them make a word.
const FEWEST: usize = 4;

/// With a message of more bytes no words are shown at all.
const MOST_COMPARED: usize = 4 * 1024 * 1024;

/// The longest content that is looked for as Base64.
const MOST_IN_BASE64: usize = 4 * 1024;

/// How many letters may be lost of words that are compared: named by HTML (`&eacute;`), whose list is long, or garbled.
const MOST_LOST: usize = 2;

/// How many times a text may have been escaped. Words that were escaped more often show something.
const DEEPEST: usize = 6;

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
        let context = self.source_context.unwrap_or_default();
        // To compare with more would take longer than a call may last beyond its deadline.
        if self.content.len() + context.len() > MOST_COMPARED {
            return true;
        }
        let words = Words::of(words);
        words.lost > MOST_LOST || [self.api_key, context, self.content].iter().any(|secret| words.show(secret))
    }
}

/// The words of an answer, ready to be compared.
struct Words {
    /// Of the words as they came, and of what they were before UTF-8 was taken for Windows-1252.
    forms: [Forms; 2],
    /// The runs of all forms, but for those of [`COMMON`] words. Sorted.
    runs: Vec<u64>,
    /// Whether there is a run with this hash: most runs of a content need no search.
    hashes: Vec<bool>,
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

    fn have(&self, run: u64) -> bool {
        self.hashes[hash(run)] && self.runs.binary_search(&run).is_ok()
    }

    /// Whether they show something of `secret`, as it is or as Base64.
    fn show(&self, secret: &str) -> bool {
        // Bytes stand in groups of three: at each place in a group. What follows them changes the last letter.
        let in_base64 = |skipped: usize| {
            let bytes = secret.as_bytes().get(skipped..).unwrap_or_default();
            let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(bytes));
            self.show_plain(&encoded.as_bytes()[..bytes.len() * 4 / 3])
        };
        self.show_plain(secret.as_bytes()) || secret.len() <= MOST_IN_BASE64 && (0..3).any(in_base64)
    }

    /// Whether they have a run in common with `secret`, or hold it whole where it is shorter than a run.
    fn show_plain(&self, secret: &[u8]) -> bool {
        let (mut start, mut named) = (0, 0);
        loop {
            let end = secret.len().min(start + PIECE);
            let piece = forms(&secret[start..end]);
            named += piece.named;
            // Letters that the secret names and the words hold cannot be compared.
            if piece.runs().any(|run| self.have(run)) || named > MOST_LOST && self.have_others_than_ascii() {
                return true;
            }
            if end == secret.len() {
                return start == 0 && [&piece.letters, &piece.bare, &piece.visible].iter().any(|form| self.hold(form));
            }
            start = end - OVERLAP;
        }
    }

    fn have_others_than_ascii(&self) -> bool {
        !self.forms[0].letters.is_ascii()
    }

    /// Whether they hold a secret that is shorter than a run.
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

type Wiped = Zeroizing<Vec<u8>>;

fn with_room_for(length: usize) -> Wiped {
    Zeroizing::new(Vec::with_capacity(length))
}

/// What is compared of a text, in one case and a byte for each character.
struct Forms {
    letters: Wiped,
    /// The letters without tags; empty where there are none.
    bare: Wiped,
    /// Without tags, the letters of ASCII alone, which are left where the others were named or garbled; empty where there
    /// are no others.
    ascii: Wiped,
    /// Everything but white space.
    visible: Wiped,
    /// How many characters HTML names.
    named: usize,
    /// How many characters no sound text has.
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

/// Others than ASCII's characters share 128 values: that two different runs become the same is as good as impossible, and
/// would only hide words that could have been shown.
fn folded(text: &[u8]) -> Folded {
    // A letter of two bytes may become three in the other case.
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
                // Through upper case, in which more letters are the same ("ß" is "SS").
                for folded in character.to_uppercase().flat_map(char::to_lowercase) {
                    let hash = (folded as u32).wrapping_mul(0x9E37_79B1) >> 25;
                    push(if folded.is_ascii() { folded as u8 } else { 0x80 | hash as u8 });
                }
            }
        }
    }
    Folded { letters, visible, garbled }
}

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

/// The bytes that `text` was before it was taken for Windows-1252 or Latin-1; empty where all of it is ASCII.
fn as_windows_1252(text: &str) -> Vec<u8> {
    // What it has at 0x80 to 0x9F; elsewhere, and where it has nothing, it is as Latin-1.
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

/// A text with its escapes undone, as many times as it was escaped, and how many characters HTML names in it.
fn unescaped(text: &[u8]) -> (Wiped, usize) {
    let mut text = Zeroizing::new(text.to_vec());
    let mut named = 0;
    for depth in 0.. {
        if memchr3(b'\\', b'&', b'%', &text).is_none() {
            break;
        }
        let once = unescaped_once(&text, &mut named);
        // Every escape is longer than what it stands for.
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
    // Half of a surrogate pair, which the next escape completes.
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

/// What an escape stands for.
enum Meant {
    Byte(u8),
    /// A code point, or half of a surrogate pair.
    Character(u32),
    /// A character that HTML names.
    Named,
}

/// What HTML names and is no letter.
const KNOWN: [(&[u8], u8); 6] =
    [(b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"quot", b'"'), (b"apos", b'\''), (b"nbsp", b' ')];

/// The escape that `text` begins with: its length, and what it stands for.
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

/// An escape after backslashes. These double each time they are escaped: however many there are, they count as one.
fn backslashed(text: &[u8]) -> (usize, Meant) {
    let slashes = text.iter().take_while(|byte| **byte == b'\\').count();
    let rest = &text[slashes..];
    let meant = match rest {
        [b'u' | b'U', b'{', digits @ ..] => numbered(digits, 16).map(|(length, meant)| (2 + length, meant)),
        // Python's, of eight digits.
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

/// A code point with any number of digits, and the sign that may end them.
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
