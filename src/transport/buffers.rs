//! The buffers of one connection, as ureq wants them.

use std::mem;
use std::ops::Range;

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

/// Room for a head and a usual body; a larger body goes out in pieces of it.
const OUTPUT: usize = 16 * 1024;
const INPUT: usize = 16 * 1024;
/// With less than this free, what is held back goes out.
const LEAST_ROOM: usize = 4 * 1024;

/// The bytes on their way out (never moved: what is held back grows where it stands) and those that came in.
#[derive(Default)]
pub(super) struct WireBuffers {
    output: Vec<u8>,
    /// How many bytes of `output` are held back.
    held: usize,
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    progress: bool,
}

impl WireBuffers {
    /// Holds back `amount` more of the bytes that were written to `output`.
    pub fn hold(&mut self, amount: usize) {
        self.held += amount;
    }

    /// Puts `fields` at the end of the head of a request, which is all that is held back; whether it is one.
    pub fn add_to_head(&mut self, fields: &[u8]) -> bool {
        const END: &[u8] = b"\r\n";
        let Some(mut at) = self.output[..self.held].strip_suffix(END).map(<[u8]>::len) else {
            return false;
        };
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

    /// The first bytes of [`WireBuffers::free`], which have just been read into it.
    pub fn received(&mut self, count: usize) -> &mut [u8] {
        &mut self.input[self.filled..self.filled + count]
    }

    /// Room to read into, 1 byte at the least.
    pub fn free(&mut self) -> &mut [u8] {
        if self.consumed == self.filled {
            (self.consumed, self.filled) = (0, 0);
        }
        if self.input.len() - self.filled < INPUT / 4 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
            if self.input.len() - self.filled < INPUT / 4 {
                self.input.resize(self.input.len() + INPUT, 0);
            }
        }
        &mut self.input[self.filled..]
    }
}

impl Buffers for WireBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output.resize(OUTPUT, 0);
        }
        &mut self.output[self.held..]
    }

    fn input(&self) -> &[u8] {
        &self.input[self.consumed..self.filled]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.free()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed += amount;
    }

    /// The first is scratch room for bodies that are transformed on their way, which ours are not.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        (&mut [], &mut self.output[self.held..])
    }

    fn can_use_input(&self) -> bool {
        self.consumed < self.filled && self.progress
    }
}

impl Drop for WireBuffers {
    /// The key went through here.
    fn drop(&mut self) {
        self.output.zeroize();
    }
}
