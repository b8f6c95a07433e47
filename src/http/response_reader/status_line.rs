//! The status line of an answer, and the empty lines that may come before it.

/// Reads a status line byte by byte. An invalid line fails at its first wrong byte, without a wait for the end of the
/// line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StatusLine {
    at: At,
    http_1_1: bool,
    code: u16,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// The status line, or an empty line.
    #[default]
    Start,
    /// The end of an empty line.
    EmptyLf,
    /// The rest of [`VERSION`] from here.
    Version(usize),
    Minor,
    /// The space after the version.
    Space,
    /// More spaces, or the first digit.
    Code,
    SecondDigit,
    ThirdDigit,
    /// The end of the line, or the space before the reason.
    AfterCode,
    Reason,
    Lf,
    Complete,
}

const VERSION: &[u8] = b"HTTP/1.";

#[derive(Debug)]
pub(super) struct Malformed;

fn is_of_reason(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

impl StatusLine {
    /// Reads up to the end of the status line. Returns how many bytes it read, empty lines before it included.
    pub fn read(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut index = self.read_usual(bytes);
        while index < bytes.len() {
            if self.at == At::Reason {
                index += bytes[index..].iter().take_while(|byte| is_of_reason(**byte)).count();
            }
            let Some(byte) = bytes.get(index) else { break };
            self.at = self.next(*byte)?;
            index += 1;
            if self.is_complete() {
                return Ok(index);
            }
        }
        Ok(bytes.len())
    }

    /// A fast path for the usual form. Reads the start of the line at once and returns its length, or 0 for other
    /// forms.
    fn read_usual(&mut self, bytes: &[u8]) -> usize {
        match bytes {
            [
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                b'1',
                b' ',
                a @ b'1'..=b'9',
                b @ b'0'..=b'9',
                c @ b'0'..=b'9',
                b' ',
                ..,
            ] if self.at == At::Start => {
                self.http_1_1 = true;
                self.code = [a, b, c].into_iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
                self.at = At::Reason;
                13
            }
            _ => 0,
        }
    }

    fn next(&mut self, byte: u8) -> Result<At, Malformed> {
        Ok(match (self.at, byte) {
            (At::Start, b'\r') => At::EmptyLf,
            (At::Start | At::EmptyLf, b'\n') => At::Start,
            (At::Start, b'H') => At::Version(1),
            (At::Version(index), _) if byte == VERSION[index] => {
                if index + 1 < VERSION.len() {
                    At::Version(index + 1)
                } else {
                    At::Minor
                }
            }
            (At::Minor, b'0' | b'1') => {
                self.http_1_1 = byte == b'1';
                At::Space
            }
            (At::Space | At::Code, b' ') => At::Code,
            (At::Code, b'1'..=b'9') => self.digit(byte, At::SecondDigit),
            (At::SecondDigit, b'0'..=b'9') => self.digit(byte, At::ThirdDigit),
            (At::ThirdDigit, b'0'..=b'9') => self.digit(byte, At::AfterCode),
            (At::AfterCode, b' ') => At::Reason,
            (At::Reason, _) if is_of_reason(byte) => At::Reason,
            (At::AfterCode | At::Reason, b'\r') => At::Lf,
            (At::AfterCode | At::Reason | At::Lf, b'\n') => At::Complete,
            _ => return Err(Malformed),
        })
    }

    fn digit(&mut self, byte: u8, next: At) -> At {
        self.code = self.code * 10 + u16::from(byte - b'0');
        next
    }

    pub fn is_complete(&self) -> bool {
        self.at == At::Complete
    }

    pub fn code(&self) -> u16 {
        self.code
    }

    pub fn is_http_1_1(&self) -> bool {
        self.http_1_1
    }

    pub fn is_success(&self) -> bool {
        matches!(self.code, 200..=299)
    }

    /// Whether another head follows. None follows 101: the next bytes are of another protocol.
    pub fn is_interim(&self) -> bool {
        matches!(self.code, 100..=199) && self.code != 101
    }
}
