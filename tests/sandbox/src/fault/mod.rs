//! Faults to order: their catalogue, the queue of orders, and how each is played on a connection.

mod catalogue;
mod order;
mod parameters;
mod play;
mod queue;
mod spoil;

pub use catalogue::{Kind, Parameter, Wanted};
pub use order::Refusal;
pub(crate) use queue::Faults;

/// The kinds of faults that can be ordered, with their parameters.
pub fn catalogue() -> &'static [Kind] {
    catalogue::KINDS
}

/// A fault, ready to be played.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    Status {
        status: u16,
        headers: Vec<(String, Option<String>)>,
        body: Option<String>,
        store: bool,
    },
    Delay {
        ms: u64,
        store_after: bool,
    },
    Drip {
        bytes: usize,
        ms: u64,
    },
    Hang {
        at_accept: bool,
        store: bool,
    },
    /// `reset` ends the connection with RST instead of FIN.
    Cut {
        place: Place,
        store: bool,
        reset: bool,
    },
    Garbage {
        bytes: Vec<u8>,
        store: bool,
    },
    EndlessHead {
        ms: u64,
        store: bool,
    },
    EndlessBody {
        ms: u64,
        store: bool,
    },
    /// With `count` 0 it never ends; else the normal answer follows.
    Endless1xx {
        status: u16,
        count: u64,
        ms: u64,
        store: bool,
    },
    EarlyAnswer {
        status: u16,
    },
    ExtraAnswer {
        status: u16,
        ms: u64,
    },
    CloseKept {
        on_next: bool,
    },
    Chunked {
        bad: bool,
    },
    Redirect {
        status: u16,
        location: String,
        store: bool,
    },
    StoreThenFail(Failure),
    Html {
        status: u16,
        title: String,
        store: bool,
    },
    SlowRead {
        ms: u64,
    },
    /// With `ms` 0 it stalls until the client disconnects.
    StallWrite {
        bytes: usize,
        ms: u64,
    },
    HandshakeHang,
    HandshakeClose,
}

/// Who answers, with an error, for a message that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The service, which fails after it has stored the message.
    Service { status: u16 },
    /// A cache in front of the service that did not wait for its answer. `retry_after` in seconds.
    Varnish { retry_after: u64 },
    /// The service's HTTP server, after a timeout for its handler.
    TimeoutLayer,
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Right after accept, before anything is read.
    Accept,
    /// After the head of the request was read, before its body.
    RequestHead,
    /// After the whole request was read, before the answer's first byte.
    BeforeStatus,
    InStatus,
    InHead,
    InBody,
}

impl Fault {
    /// Whether it is played on a connection before any request is read.
    pub fn is_at_accept(&self) -> bool {
        matches!(
            self,
            Fault::Cut { place: Place::Accept, .. }
                | Fault::Hang { at_accept: true, .. }
                | Fault::HandshakeHang
                | Fault::HandshakeClose
        )
    }

    /// Whether it is played on TLS connections only.
    pub fn is_of_the_handshake(&self) -> bool {
        matches!(self, Fault::HandshakeHang | Fault::HandshakeClose)
    }
}
