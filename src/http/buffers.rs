//! The buffers of one connection, as ureq wants them: what it writes, and the canned answer that it reads.

use std::mem;
use std::ops::Range;

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

/// Room for a head and a usual body; a larger body goes out in pieces of it.
const OUTPUT_CAPACITY: usize = 16 * 1024;
/// With less than this free, what is held back goes out.
const MIN_ROOM: usize = 4 * 1024;

/// What ureq is shown for every answer, whose bytes [`ResponseReader`](super::response_reader::ResponseReader) has read: that it is
/// over, and whether the connection takes another request. By its version, as that costs less than a field.
const CANNED_KEEP_ALIVE: &[u8] = b"HTTP/1.1 204\r\n\r\n";
const CANNED_CLOSE: &[u8] = b"HTTP/1.0 204\r\n\r\n";

/// The bytes on their way out (never moved: what is held back grows where it stands) and the canned answer.
#[derive(Default)]
pub(super) struct ConnectionBuffers {
    output: Vec<u8>,
    /// How many bytes of `output` are held back.
    pending: usize,
    /// Where the API key stands in `output`.
    secret: Range<usize>,
    /// What is left to read of the canned answer.
    canned: &'static [u8],
}

impl ConnectionBuffers {
    /// Holds back `amount` more of the bytes that were written to `output`.
    pub fn add_pending(&mut self, amount: usize) {
        self.pending += amount;
    }

    /// Puts `fields`, which have the API key at `secret`, at the end of the head of a request, which is all that is held
    /// back; whether it is one.
    pub fn add_to_head(&mut self, fields: &[u8], secret: Range<usize>) -> bool {
        const BLANK_LINE: &[u8] = b"\r\n";
        let Some(mut at) = self.output[..self.pending].strip_suffix(BLANK_LINE).map(<[u8]>::len) else {
            return false;
        };
        self.secret = at + secret.start..at + secret.end;
        for part in [fields, BLANK_LINE] {
            let Some(room) = self.output.get_mut(at..).and_then(|rest| rest.get_mut(..part.len())) else {
                return false;
            };
            room.copy_from_slice(part);
            at += part.len();
        }
        self.pending = at;
        true
    }

    pub fn is_nearly_full(&self) -> bool {
        self.output.len() - self.pending < MIN_ROOM
    }

    /// How much is held back. It is no longer, but stays where it is until more is written.
    pub fn take_pending(&mut self) -> usize {
        mem::take(&mut self.pending)
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
    pub fn show_canned_answer(&mut self, keep_alive: bool) {
        self.canned = if keep_alive { CANNED_KEEP_ALIVE } else { CANNED_CLOSE };
    }
}

impl Buffers for ConnectionBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output.resize(OUTPUT_CAPACITY, 0);
        }
        &mut self.output[self.pending..]
    }

    fn input(&self) -> &[u8] {
        self.canned
    }

    /// Nobody reads into here: the answer is canned.
    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.canned = &self.canned[amount..];
    }

    /// The first is scratch room for bodies that are transformed on their way, which ours are not.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        (&mut [], &mut self.output[self.pending..])
    }

    fn can_use_input(&self) -> bool {
        !self.canned.is_empty()
    }
}

impl Drop for ConnectionBuffers {
    /// What went out last may have been a part of the key.
    fn drop(&mut self) {
        self.output.zeroize();
    }
}
