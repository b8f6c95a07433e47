//! [`Wakeup`]: wakes a wait for a descriptor.

use std::io::{self, Read, Write};

use super::{Interest, Pair, pair};

/// A pair of sockets. The one becomes readable when a byte is written to the other.
///
/// Other code of the process may have closed a descriptor and opened a file of its own under the number. Nothing is then
/// written to that file, or read from it.
#[derive(Debug)]
pub(crate) struct Wakeup {
    reader: Pair,
    writer: Pair,
}

impl Wakeup {
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pair()?;
        reader.get()?.set_nonblocking(true)?;
        writer.get()?.set_nonblocking(true)?;
        Ok(Wakeup { reader, writer })
    }

    /// Makes the descriptor readable. Safe in a signal handler: fstat(2) and write(2).
    pub fn set(&self) {
        if self.writer.is_intact() {
            let _ = self.writer.get().and_then(|mut writer| writer.write(&[1]));
        }
    }

    /// Makes the descriptor not readable any more. `false` if it belongs to other code by now.
    pub fn clear(&self) -> bool {
        let is_intact = self.is_intact();
        if is_intact {
            let _ = self.reader.get().and_then(|mut reader| reader.read(&mut [0; 64]));
        }
        is_intact
    }

    /// Whether the descriptor still is its own.
    pub fn is_intact(&self) -> bool {
        self.reader.is_intact()
    }

    pub fn interest(&self) -> Interest {
        Interest::read(&self.reader)
    }

    /// The descriptor, for a host to wait for.
    pub fn raw(&self) -> super::Raw {
        super::Pollable::raw(&self.reader)
    }

    /// Makes the descriptor readable as other code would that has opened a file under its number.
    #[cfg(test)]
    pub fn disturb(&self) {
        self.writer.get().unwrap().write_all(b"x").unwrap();
    }
}
