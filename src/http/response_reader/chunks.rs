//! The chunked transfer coding, parsed as strictly as RFC 9112, section 7.1, defines it.

/// The longest line with the size of a chunk, extensions included; and the longest trailer section.
const LONGEST_SIZE_LINE: usize = 8 * 1024;
const LONGEST_TRAILER: usize = 64 * 1024;

/// Decodes a body that comes in chunks.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// How many bytes of the chunk's data are left.
    left: u64,
    /// The length of the current line so far, without its LF.
    line_length: usize,
    /// The length of the trailer section so far.
    trailer_length: usize,
    /// Whether the current line of the trailer can be a field, and whether its last byte is a CR.
    is_field: bool,
    ends_in_cr: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// The first digit of a size.
    #[default]
    Size,
    Digits,
    /// Blanks after the size.
    Padding,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
}

/// The state after some bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More bytes are needed.
    More,
    /// The body and its trailer section are complete.
    Ended,
    /// The body is complete, but its trailer section is invalid or too long. Reading stops.
    Stopped,
    /// The framing is broken.
    Broken,
}

impl Chunks {
    /// Passes the decoded data to `keep`, up to the end of the body or the first fault. Returns how many bytes it read.
    pub fn read(&mut self, bytes: &[u8], mut keep: impl FnMut(&[u8])) -> (usize, Progress) {
        let mut at = 0;
        while at < bytes.len() {
            if self.at == At::Data {
                let rest = &bytes[at..];
                let count = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
                keep(&rest[..count]);
                at += count;
                self.left -= count as u64;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            let progress =
                if self.at == At::Trailer { self.read_trailer(bytes[at]) } else { self.read_framing(bytes[at]) };
            at += 1;
            if progress != Progress::More {
                return (at, progress);
            }
        }
        (at, Progress::More)
    }

    /// Whether all data has arrived. Only the trailer section may be missing.
    pub fn is_body_whole(&self) -> bool {
        self.at == At::Trailer
    }

    fn read_framing(&mut self, byte: u8) -> Progress {
        self.line_length += 1;
        self.at = match (self.at, byte) {
            _ if self.line_length > LONGEST_SIZE_LINE + "\r\n".len() => return Progress::Broken,
            (At::Size | At::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let Some(size) = self.left.checked_mul(16) else {
                    return Progress::Broken;
                };
                self.left = size | u64::from(digit);
                At::Digits
            }
            (At::Digits | At::Padding, b' ' | b'\t') => At::Padding,
            (At::Digits | At::Padding, b';') => At::Extension,
            (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => At::Extension,
            (At::Digits | At::Padding | At::Extension, b'\r') => At::SizeLf,
            (At::SizeLf, b'\n') => {
                self.line_length = 0;
                if self.left == 0 { At::Trailer } else { At::Data }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => {
                self.line_length = 0;
                At::Size
            }
            _ => return Progress::Broken,
        };
        Progress::More
    }

    /// Skips the trailer section: its fields are not read. A line that cannot be a field means broken framing.
    fn read_trailer(&mut self, byte: u8) -> Progress {
        self.trailer_length += 1;
        if self.trailer_length > LONGEST_TRAILER {
            return Progress::Stopped;
        }
        if byte != b'\n' {
            let continues_field = self.line_length == 0 && self.trailer_length > 1 && matches!(byte, b' ' | b'\t');
            self.is_field |= byte == b':' || continues_field;
            self.ends_in_cr = byte == b'\r';
            self.line_length += 1;
            return Progress::More;
        }
        match self.line_length {
            0 => return Progress::Stopped, // without its CR
            1 if self.ends_in_cr => return Progress::Ended,
            _ if !self.is_field => return Progress::Broken,
            _ => {}
        }
        (self.line_length, self.is_field, self.ends_in_cr) = (0, false, false);
        Progress::More
    }
}
