//! The buffers of one connection, as ureq wants them: what it writes, and the canned answer that it reads.

use std::mem;
use std::ops::Range;

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

/// Room for a head and a usual body; a larger body goes out in pieces of it.
const OUTPUT: usize = 16 * 1024;
/// With less than this free, what is held back goes out.
const LEAST_ROOM: usize = 4 * 1024;

/// What ureq is shown for every answer, whose bytes [`ResponseReader`](super::response_reader::ResponseReader) has read: that it is
/// over, and whether the connection takes another request. By its version, as that costs less than a field.
const KEPT: &[u8] = b"HTTP/1.1 204\r\n\r\n";
const CLOSED: &[u8] = b"HTTP/1.0 204\r\n\r\n";

/// The bytes on their way out (never moved: what is held back grows where it stands) and the canned answer.
#[derive(Default)]
pub(super) struct ConnectionBuffers {
    output: Vec<u8>,
    /// How many bytes of `output` are held back.
    held: usize,
    /// Where the API key stands in `output`.
    secret: Range<usize>,
    /// What is left to read of the canned answer.
    answer: &'static [u8],
}

impl ConnectionBuffers {
    /// Holds back `amount` more of the bytes that were written to `output`.
    pub fn hold(&mut self, amount: usize) {
        self.held += amount;
    }

    /// Puts `fields`, which have the API key at `secret`, at the end of the head of a request, which is all that is held
    /// back; whether it is one.
    pub fn add_to_head(&mut self, fields: &[u8], secret: Range<usize>) -> bool {
        const END: &[u8] = b"\r\n";
        let Some(mut at) = self.output[..self.held].strip_suffix(END).map(<[u8]>::len) else {
            return false;
        };
        self.secret = at + secret.start..at + secret.end;
        for part in [fields, END] {
            let Some(room) = self.output.get_mut(at..).and_then(|rest| rest.get_mut(..part.len())) else {
                return false;
            };
            room.copy_from_slice(part);
            at += part.len();
        }
        self.held = at;
        true
    }

    pub fn is_nearly_full(&self) -> bool {
        self.output.len() - self.held < LEAST_ROOM
    }

    /// How much is held back. It is no longer, but stays where it is until more is written.
    pub fn take_held(&mut self) -> usize {
        mem::take(&mut self.held)
    }

    /// What was written.
    pub fn written(&self, range: Range<usize>) -> &[u8] {
        &self.output[range]
    }

    /// Wipes the API key, which has gone out: an idle connection holds none, nor does its copy in the child of a fork.
    pub fn wipe(&mut self) {
        self.output[mem::take(&mut self.secret)].zeroize();
    }

    /// Lays out the canned answer.
    pub fn answer(&mut self, keep: bool) {
        self.answer = if keep { KEPT } else { CLOSED };
    }
}

impl Buffers for ConnectionBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output.resize(OUTPUT, 0);
        }
        &mut self.output[self.held..]
    }

    fn input(&self) -> &[u8] {
        self.answer
    }

    /// Nobody reads into here: the answer is canned.
    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.answer = &self.answer[amount..];
    }

    /// The first is scratch room for bodies that are transformed on their way, which ours are not.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        (&mut [], &mut self.output[self.held..])
    }

    fn can_use_input(&self) -> bool {
        !self.answer.is_empty()
    }
}

impl Drop for ConnectionBuffers {
    /// What went out last may have been a part of the key.
    fn drop(&mut self) {
        self.output.zeroize();
    }
}
