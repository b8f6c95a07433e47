//! Parses one HTTP/1.x answer from the bytes of a connection, however they are split. No I/O.
//!
//! The rules are those of RFC 9112. Fields that this library does not read are skipped, so they cannot make an answer
//! invalid. The framing of the body must be exact, because the body decides whether a message was delivered.

mod chunks;
mod fields;
mod status_line;

use memchr::memchr;

use self::chunks::{Chunks, Progress};
use self::fields::{Fields, Framing};
use self::status_line::StatusLine;
use crate::http::{Answer, BodyEnd, Fault, KEPT_BODY};

/// The largest head of an answer, interim answers (1xx) before it included.
pub(super) const LARGEST_HEAD: usize = 64 * 1024;
/// At most so many bytes of a body are read, its framing included. After a larger body the connection is not reused.
const READ_BODY: usize = 1024 * 1024;
/// A larger buffer for heads is freed after the answer. Few heads need one.
const MAX_KEPT_BUFFER: usize = 4 * 1024;

/// Reads one answer at a time. Its memory is bounded for any input, and its work is linear in the bytes.
#[derive(Default)]
pub(super) struct ResponseReader {
    stage: Stage,
    /// The bytes of all heads so far, up to the end of the final one.
    head: Vec<u8>,
    status_line: StatusLine,
    fields: Fields,
    /// The positions in `head` at which the last field begins (the next line may continue it), and at which the next
    /// line begins.
    field_start: usize,
    line_start: usize,
    /// Valid if `has_head`. Its `body_end` is always the right one in case no more bytes come.
    answer: Answer,
    has_head: bool,
    /// How many bytes were read after the head, framing included.
    received_body: usize,
    reusable: bool,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Head,
    /// A body with a length. The number is how many bytes are left.
    Length(u64),
    Chunks(Chunks),
    /// A body that ends with the connection.
    UntilEnd,
    Done,
}

impl ResponseReader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the next answer on the same connection.
    pub fn begin(&mut self) {
        self.clear_head();
        let head = std::mem::take(&mut self.head);
        *self = ResponseReader { head, ..Self::default() };
    }

    /// Reads all of `bytes`. The only error is [`Fault::Garbage`], before the head of the final answer is complete: the
    /// bytes are not an HTTP/1.x answer, or its head is too large.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        if matches!(self.stage, Stage::Head) {
            let room = bytes.len().min(LARGEST_HEAD - self.head.len());
            let taken = self.read_head(&bytes[..room]).inspect_err(|_| self.stop())?;
            bytes = &bytes[taken..];
            if matches!(self.stage, Stage::Head) && !bytes.is_empty() {
                self.stop();
                return Err(Fault::Garbage(format!("the answer's head is larger than {LARGEST_HEAD} bytes")));
            }
        }
        self.read_body(bytes);
        Ok(())
    }

    /// Whether the head of the final answer (not 1xx) is complete.
    pub fn has_head(&self) -> bool {
        self.has_head
    }

    /// Whether the answer is over. No more bytes are needed.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Ends the answer because no more bytes will come. `clean`: the peer closed the connection in order. Otherwise it
    /// broke, or the caller gave up.
    pub fn end(&mut self, clean: bool) {
        match &self.stage {
            Stage::UntilEnd if clean => self.answer.body_end = BodyEnd::Closed,
            // Bytes came, but none of them was content. They may be anything, such as a page instead of a chunk.
            Stage::Chunks(_)
                if self.answer.body_end == BodyEnd::Cut && self.answer.body.is_empty() && self.received_body > 0 =>
            {
                self.answer.body_end = BodyEnd::Broken;
            }
            _ => {}
        }
        self.stop();
    }

    /// Whether the connection can be reused: the answer is complete, no bytes came after it, and the peer keeps the
    /// connection open.
    pub fn can_reuse(&self) -> bool {
        self.is_done() && self.reusable
    }

    /// Takes the answer if its head is complete. A body that is not complete is cut.
    pub fn take(&mut self, request_complete: bool) -> Option<Answer> {
        if !std::mem::take(&mut self.has_head) {
            return None;
        }
        if !self.is_done() {
            self.end(false);
        }
        Some(Answer { request_complete, ..std::mem::take(&mut self.answer) })
    }

    /// Ends the answer as it is. The connection cannot be reused.
    fn stop(&mut self) {
        self.stage = Stage::Done;
        self.reusable = false;
    }

    /// Reads the head. Returns how many of the bytes belong to it.
    fn read_head(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let mut at = before;
        loop {
            if !self.status_line.is_complete() {
                let garbage =
                    |_| Fault::Garbage("what came is not an HTTP/1.1 answer: it has no valid status line".into());
                at += self.status_line.read(&self.head[at..]).map_err(garbage)?;
                (self.field_start, self.line_start) = (at, at);
            }
            let Some(length) = memchr(b'\n', &self.head[at..]) else {
                return Ok(bytes.len());
            };
            at += length + 1;
            let line = &self.head[self.line_start..at];
            let continues_field = line[0] == b' ' || line[0] == b'\t';
            if !continues_field {
                self.fields.read(&self.head[self.field_start..self.line_start], self.status_line.is_success());
                self.field_start = self.line_start;
            }
            self.line_start = at;
            if matches!(&self.head[self.field_start..at], b"\r\n" | b"\n") {
                if self.status_line.is_interim() {
                    (self.status_line, self.fields) = Default::default();
                } else {
                    self.head_ends();
                    return Ok(at - before);
                }
            }
        }
    }

    fn clear_head(&mut self) {
        self.head.clear();
        if self.head.capacity() > MAX_KEPT_BUFFER {
            self.head = Vec::new();
        }
    }

    fn head_ends(&mut self) {
        let fields = std::mem::take(&mut self.fields);
        let status = self.status_line.code();
        let framing = if matches!(status, 101 | 204 | 304) { Framing::Length(0) } else { fields.framing() };
        self.reusable = status != 101 && fields.keeps_alive(self.status_line.is_http_1_1());
        self.answer = Answer { status, body_end: BodyEnd::Cut, ..fields.into_answer() };
        self.has_head = true;
        self.clear_head();
        self.stage = match framing {
            Framing::Length(0) => {
                self.answer.body_end = BodyEnd::Whole;
                Stage::Done
            }
            Framing::Length(length) => Stage::Length(length),
            Framing::Chunked { unambiguous } => {
                // HTTP/1.0 has no chunks, and a peer that also sends a length may mean the length. In both cases it is
                // not certain where the next answer would begin.
                self.reusable &= unambiguous && self.status_line.is_http_1_1();
                Stage::Chunks(Chunks::default())
            }
            Framing::UntilEnd => {
                self.reusable = false;
                Stage::UntilEnd
            }
            Framing::Unknown => {
                self.answer.body_end = BodyEnd::Broken;
                self.reusable = false;
                Stage::Done
            }
        };
    }

    fn read_body(&mut self, bytes: &[u8]) {
        let allowed = &bytes[..bytes.len().min(READ_BODY - self.received_body)];
        let body = &mut self.answer.body;
        let (taken, progress) = match &mut self.stage {
            Stage::Head | Stage::Done => (0, Progress::More),
            Stage::Length(left) => {
                let count = usize::try_from(*left).map_or(allowed.len(), |left| left.min(allowed.len()));
                keep(body, &allowed[..count]);
                *left -= count as u64;
                (count, if *left == 0 { Progress::Ended } else { Progress::More })
            }
            Stage::Chunks(chunks) => {
                let read = chunks.read(allowed, |data| keep(body, data));
                if chunks.is_body_whole() {
                    self.answer.body_end = BodyEnd::Whole;
                }
                read
            }
            Stage::UntilEnd => {
                keep(body, allowed);
                (allowed.len(), Progress::More)
            }
        };
        self.received_body += taken;
        match progress {
            Progress::More => {}
            Progress::Ended => {
                self.answer.body_end = BodyEnd::Whole;
                self.stage = Stage::Done;
            }
            Progress::Stopped => self.stop(),
            Progress::Broken => {
                self.answer.body_end = BodyEnd::Broken;
                self.stop();
            }
        }
        // The remaining bytes come after the end of the answer, or exceed the limit.
        if taken < bytes.len() {
            self.stop();
        }
    }
}

/// Appends `data` to the kept start of a body, up to [`KEPT_BODY`].
fn keep(body: &mut Vec<u8>, data: &[u8]) {
    body.extend_from_slice(&data[..data.len().min(KEPT_BODY - body.len())]);
}

#[cfg(test)]
mod tests;
