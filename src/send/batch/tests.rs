use std::cell::Cell;

use super::*;
use crate::model::options::Options;
use crate::send::client::Client;

/// Messages that are delivered to a sandbox, of which one cannot be read.
struct Panicking {
    message: Message<'static>,
    reads: Cell<usize>,
}

impl Messages for Panicking {
    fn count(&self) -> usize {
        10
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        self.reads.set(self.reads.get() + 1);
        if index == 3 { panic!("contained") } else { Ok(Cow::Borrowed(&self.message)) }
    }
}

fn client_of(sandbox: &ue_sandbox::Sandbox) -> Client {
    Client::new(sandbox.api_key(), Options { base_url: sandbox.base_url(), ..Options::default() }).unwrap()
}

#[test]
fn a_panic_while_one_message_is_read_is_that_messages_outcome() {
    let sandbox = ue_sandbox::Sandbox::start(ue_sandbox::Options::default()).unwrap();
    let messages = Panicking { message: Message::new(1, "Hi"), reads: Cell::new(0) };
    let mut told = Vec::new();
    let sent = client_of(&sandbox).send_each(&messages, &BatchOptions::default(), &mut |index, outcome| {
        let expected = if index == 3 { Status::Internal } else { Status::Ok };
        assert_eq!(outcome.status(), expected, "{index}");
        told.push(index);
        BatchFlow::Continue
    });
    assert!(sent.is_ok());
    told.sort_unstable();
    assert_eq!(told, (0..10).collect::<Vec<_>>());
    assert_eq!(sandbox.journal().requests(0).len(), 9);
    assert_eq!(messages.reads.get(), 10, "each message is read once");
}

/// A message may have megabytes: no more of them are copied than the workers need.
#[test]
fn messages_are_read_shortly_before_their_turn() {
    struct Large(Message<'static>, Cell<usize>);
    impl Messages for Large {
        fn count(&self) -> usize {
            100
        }
        fn get<'a>(&'a self, _: usize) -> Result<Cow<'a, Message<'a>>, Error> {
            self.1.set(self.1.get() + 1);
            Ok(Cow::Borrowed(&self.0))
        }
    }
    let sandbox = ue_sandbox::Sandbox::start(ue_sandbox::Options::default()).unwrap();
    let size = AHEAD_BYTES / 4;
    let messages = Large(Message::new(1, "x".repeat(size)), Cell::new(0));
    let mut told = 0;
    let mut on_outcome = |_, _| {
        told += 1;
        // All are to one user: those that wait, the one in flight, and those whose outcome is told.
        assert!(messages.1.get() <= told + 1 + AHEAD_BYTES / size + 8, "{} were read, {told} told", messages.1.get());
        if told == 10 { BatchFlow::Abort } else { BatchFlow::Continue }
    };
    assert!(client_of(&sandbox).send_each(&messages, &BatchOptions::default(), &mut on_outcome).is_ok());
    assert_eq!(told, 100);
}
