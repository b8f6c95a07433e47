//! Tests the library against the sandbox. The sandbox's journal is the truth.
//!
//! What holds for a message holds in whichever way it is sent. So the tests of a single message run twice: as
//! `by_call::…` and as `by_queue::…`. They send with [`by_call::send`] or [`by_queue::send`].

mod batch;
mod cancel;
mod close;
mod interrupt;
mod logging;
mod queue;
mod raw;
mod submission;
mod support;

/// The tests of a single message, sent by [`Client::send_conversation`](userengage::Client::send_conversation).
#[path = "."]
mod by_call {
    use userengage::{Client, Error, Message, Outcome};

    /// Whether the interrupt callback is called while a message is sent.
    const ASKS: bool = true;

    fn send(client: &Client, message: &Message<'_>) -> Result<Outcome, Error> {
        client.send_conversation(message)
    }

    mod advice;
    mod answers;
    mod bounds;
    mod certainty;
    mod deadline;
    mod early;
    mod endless;
    mod limits;
    mod proxy;
    mod request;
    mod retries;
    mod tls;
}

/// The same tests through a [`Queue`](userengage::Queue). The timeout starts at the push, as that of a call at the call.
#[path = "."]
#[allow(clippy::duplicate_mod)] // on purpose: the same files with another `send`
mod by_queue {
    use userengage::{Client, Error, Message, Outcome, QueueOptions, TimeoutFrom};

    /// A queue never calls the interrupt callback.
    const ASKS: bool = false;

    fn send(client: &Client, message: &Message<'_>) -> Result<Outcome, Error> {
        let mut options = QueueOptions::default();
        options.timeout_from = TimeoutFrom::Push;
        client.queue(options)?.submit(message)?.wait()
    }

    mod advice;
    mod answers;
    mod bounds;
    mod certainty;
    mod deadline;
    mod early;
    mod endless;
    mod limits;
    mod proxy;
    mod request;
    mod retries;
    mod tls;
}
