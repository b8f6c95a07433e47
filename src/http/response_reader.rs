//! Reads one HTTP/1.x answer from the bytes of a connection, however these are split. Pure.
//!
//! The rules are those of RFC 9112. A field that nobody reads cannot spoil an answer. The framing of a body has to be
//! exact, since what a body says decides whether a message was delivered.

mod chunks;
mod fields;
mod status_line;

use memchr::memchr;

use self::chunks::{Chunks, Progress};
use self::fields::{Fields, Framing};
use self::status_line::StatusLine;
use crate::http::{Answer, BodyEnd, Fault, KEPT_BODY};

/// The largest head of an answer, everything before it (1xx) included.
pub(super) const LARGEST_HEAD: usize = 64 * 1024;
/// How much of a body is read so that the connection can be used again. Framing counts as read.
const READ_BODY: usize = 1024 * 1024;
/// A buffer for heads that is larger is not kept for the next answer: hardly any is.
const MAX_KEPT_BUFFER: usize = 4 * 1024;

/// Reads one answer at a time. Its memory is bounded whatever comes, and its work is linear in the bytes.
#[derive(Default)]
pub(super) struct ResponseReader {
    stage: Stage,
    /// All heads so far, up to where the final one ends.
    head: Vec<u8>,
    status_line: StatusLine,
    fields: Fields,
    /// Where in `head` the last field begins, which the next line may continue, and where the line after it begins.
    field_start: usize,
    line_start: usize,
    /// Valid once `has_head`. Its `body_end` always holds what is true if nothing more comes.
    answer: Answer,
    has_head: bool,
    /// How many bytes came after the head, framing included.
    received_body: usize,
    reusable: bool,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Head,
    /// A body with so many bytes left.
    Length(u64),
    Chunks(Chunks),
    /// A body that the end of the connection ends.
    UntilEnd,
    Done,
}

impl ResponseReader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the next answer of the same connection.
    pub fn begin(&mut self) {
        self.clear_head();
        let head = std::mem::take(&mut self.head);
        *self = ResponseReader { head, ..Self::default() };
    }

    /// Takes in all of `bytes`. The only error is [`Fault::Garbage`], while the head of the final answer is not complete:
    /// this is no HTTP/1.x answer, or its head is too large.
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

    /// Whether nothing more is awaited.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// No more bytes will come: the peer ended the connection in order (`clean`), or it broke, or the caller gave up.
    pub fn end(&mut self, clean: bool) {
        match &self.stage {
            Stage::UntilEnd if clean => self.answer.body_end = BodyEnd::Closed,
            // Bytes came, but none of them was content: they may be anything, such as a page instead of a chunk.
            Stage::Chunks(_)
                if self.answer.body_end == BodyEnd::Cut && self.answer.body.is_empty() && self.received_body > 0 =>
            {
                self.answer.body_end = BodyEnd::Broken;
            }
            _ => {}
        }
        self.stop();
    }

    /// Whether the connection can serve another request: the answer is whole, nothing came beyond it, and the peer
    /// keeps the connection open.
    pub fn can_reuse(&self) -> bool {
        self.is_done() && self.reusable
    }

    /// The answer, once its head is complete. A body that has not come to its end counts as given up.
    pub fn take(&mut self, request_complete: bool) -> Option<Answer> {
        if !std::mem::take(&mut self.has_head) {
            return None;
        }
        if !self.is_done() {
            self.end(false);
        }
        Some(Answer { request_complete, ..std::mem::take(&mut self.answer) })
    }

    /// Ends the answer as it is. The connection is of no more use.
    fn stop(&mut self) {
        self.stage = Stage::Done;
        self.reusable = false;
    }

    /// Returns how many of the bytes belong to the head.
    fn read_head(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let mut at = before;
        loop {
            if !self.status_line.is_complete() {
                let garbage = |_| Fault::Garbage("what came is no HTTP/1.1 answer: it has no valid status line".into());
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
                // HTTP/1.0 has no chunks, and a peer that also sends a length may mean that one: where the next answer
                // begins is not certain.
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
        // What is left lies beyond the end, or beyond what is read of any answer.
        if taken < bytes.len() {
            self.stop();
        }
    }
}

/// Keeps the start of a body.
fn keep(body: &mut Vec<u8>, data: &[u8]) {
    body.extend_from_slice(&data[..data.len().min(KEPT_BODY - body.len())]);
}

#[cfg(test)]
mod tests;
