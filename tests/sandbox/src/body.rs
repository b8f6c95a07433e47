//! The body of a request as it arrives.

use crate::head::Framing;
use bytes::{Buf, Bytes, BytesMut};

/// The largest body that is read. A larger one gets a 413.
pub(crate) const MAX_BODY: usize = 16 * 1024 * 1024;

/// The longest line of a chunk header or a trailer.
const MAX_LINE: usize = 4096;

/// Reads a body from the bytes of a connection, piece by piece.
pub(crate) struct BodyReader {
    state: State,
    /// The bytes received so far, without the framing of chunks.
    pub body: BytesMut,
}

enum State {
    Left(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    Done,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadBody {
    TooLarge,
    Malformed,
}

impl BodyReader {
    pub fn new(framing: Framing) -> BodyReader {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Left(length),
            Framing::Chunked => State::ChunkSize,
        };
        BodyReader { state, body: BytesMut::new() }
    }

    /// Whether the head announced more than the limit.
    pub fn is_too_large(&self) -> bool {
        matches!(self.state, State::Left(length) if length > MAX_BODY as u64)
    }

    /// Takes the bytes of the body from `input`. `Ok(true)` when the body is complete.
    pub fn take(&mut self, input: &mut BytesMut) -> Result<bool, BadBody> {
        loop {
            match self.state {
                State::Done => return Ok(true),
                State::Left(left) => {
                    let left = self.move_bytes(input, left);
                    if left > 0 {
                        self.state = State::Left(left);
                        return Ok(false);
                    }
                    self.state = State::Done;
                }
                State::ChunkSize => {
                    let Some(line) = take_line(input)? else { return Ok(false) };
                    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                    let size = std::str::from_utf8(digits)
                        .ok()
                        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
                    let size = size.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or(BadBody::Malformed)?;
                    if size > (MAX_BODY - self.body.len()) as u64 {
                        return Err(BadBody::TooLarge);
                    }
                    self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
                }
                State::Chunk(left) => {
                    let left = self.move_bytes(input, left);
                    if left > 0 {
                        self.state = State::Chunk(left);
                        return Ok(false);
                    }
                    self.state = State::ChunkEnd;
                }
                State::ChunkEnd => match take_line(input)? {
                    None => return Ok(false),
                    Some(line) if line.is_empty() => self.state = State::ChunkSize,
                    Some(_) => return Err(BadBody::Malformed),
                },
                State::Trailer => match take_line(input)? {
                    None => return Ok(false),
                    Some(line) if line.is_empty() => self.state = State::Done,
                    Some(_) => {}
                },
            }
        }
    }

    /// Moves up to `left` bytes into the body. Returns how many are missing.
    fn move_bytes(&mut self, input: &mut BytesMut, left: u64) -> u64 {
        let here = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let piece = input.split_to(here);
        if self.body.is_empty() {
            self.body = piece;
        } else {
            self.body.extend_from_slice(&piece);
        }
        left - here as u64
    }
}

fn take_line(input: &mut BytesMut) -> Result<Option<Bytes>, BadBody> {
    let Some(newline) = memchr::memchr(b'\n', input) else {
        return if input.len() > MAX_LINE { Err(BadBody::Malformed) } else { Ok(None) };
    };
    let mut line = input.split_to(newline + 1).freeze();
    line.truncate(newline);
    if line.ends_with(b"\r") {
        line.truncate(newline - 1);
    }
    debug_assert!(!line.has_remaining() || line[line.len() - 1] != b'\n');
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `raw` in pieces of `size` bytes, and gives the body and what is left over.
    fn read(framing: Framing, raw: &[u8], size: usize) -> Result<(bool, Vec<u8>, usize), BadBody> {
        let mut reader = BodyReader::new(framing);
        let mut input = BytesMut::new();
        let mut whole = reader.take(&mut input)?;
        for piece in raw.chunks(size) {
            input.extend_from_slice(piece);
            if !whole {
                whole = reader.take(&mut input)?;
            }
        }
        Ok((whole, reader.body.to_vec(), input.len()))
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let raw = b"4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nA: b\r\n\r\nnext";
        for size in 1..=raw.len() {
            assert_eq!(read(Framing::Chunked, raw, size), Ok((true, b"Wikipedia".to_vec(), 4)), "by {size}");
        }
    }

    #[test]
    fn a_length_takes_no_byte_of_the_next_request() {
        for size in 1..=9 {
            assert_eq!(read(Framing::Length(5), b"abcdePOST", size), Ok((true, b"abcde".to_vec(), 4)));
        }
        assert_eq!(read(Framing::Length(5), b"abc", 2), Ok((false, b"abc".to_vec(), 0)));
    }

    #[test]
    fn a_bad_chunk_is_an_error_and_so_is_a_huge_one() {
        assert_eq!(read(Framing::Chunked, b"zz\r\n", 9), Err(BadBody::Malformed));
        assert_eq!(read(Framing::Chunked, b"2\r\nabc\r\n", 9), Err(BadBody::Malformed));
        assert_eq!(read(Framing::Chunked, b"ffffffff\r\n", 99), Err(BadBody::TooLarge));
        assert_eq!(read(Framing::Chunked, &[b'1'; 5000], 5000), Err(BadBody::Malformed));
    }
}
