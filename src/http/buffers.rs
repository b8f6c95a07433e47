//! The buffers that one connection offers to ureq: the output that ureq writes, and the canned answer that it reads.
//! Why the answer is canned is described in [`connection`](super::connection).

use std::mem;
use std::ops::Range;

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

/// Enough for a head and a usual body. A larger body is sent in pieces of this size.
const OUTPUT_CAPACITY: usize = 16 * 1024;
/// When less than this is free, the pending bytes are sent.
const MIN_ROOM: usize = 4 * 1024;

/// The canned answers. They tell ureq that the answer is complete, and whether it may keep the connection. The HTTP
/// version says the latter, because that is cheaper to parse than a `Connection` field.
const CANNED_KEEP_ALIVE: &[u8] = b"HTTP/1.1 204\r\n\r\n";
const CANNED_CLOSE: &[u8] = b"HTTP/1.0 204\r\n\r\n";

/// The output buffer and the canned answer. Pending bytes are never moved: more are appended behind them.
#[derive(Default)]
pub(super) struct ConnectionBuffers {
    output: Vec<u8>,
    /// How many bytes at the start of `output` were written by ureq and not yet sent.
    pending: usize,
    /// The position of the API key in `output`.
    secret: Range<usize>,
    /// The part of the canned answer that ureq has not read yet.
    canned: &'static [u8],
}

impl ConnectionBuffers {
    /// Counts `amount` more bytes of `output` as pending.
    pub fn add_pending(&mut self, amount: usize) {
        self.pending += amount;
    }

    /// Appends `fields` to the head of a request. The head must be all that is pending. `secret` is the position of the
    /// API key in `fields`. Returns false if the pending bytes do not end as a head does, or if there is no room.
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

    /// Returns how many bytes are pending, and resets the count. The bytes stay readable until ureq writes more.
    pub fn take_pending(&mut self) -> usize {
        mem::take(&mut self.pending)
    }

    /// A part of the output.
    pub fn written(&self, range: Range<usize>) -> &[u8] {
        &self.output[range]
    }

    /// Wipes the API key after it was sent. An idle connection then holds no key, and neither does its copy in the
    /// child of a fork.
    pub fn wipe(&mut self) {
        self.output[mem::take(&mut self.secret)].zeroize();
    }

    /// Lets ureq read a canned answer.
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

    /// Not used: ureq reads only the canned answer.
    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.canned = &self.canned[amount..];
    }

    /// The first buffer is scratch space for encoded bodies. Our bodies are not encoded, so it is empty.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        (&mut [], &mut self.output[self.pending..])
    }

    fn can_use_input(&self) -> bool {
        !self.canned.is_empty()
    }
}

impl Drop for ConnectionBuffers {
    /// Wipes the whole buffer: the bytes sent last may include a part of the key.
    fn drop(&mut self) {
        self.output.zeroize();
    }
}
