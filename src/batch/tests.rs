use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn waiter(hooks: Hooks) -> Waiter {
    Waiter::new(Arc::new(hooks), Arc::new(Bell::new().unwrap()))
}

fn to(users: impl IntoIterator<Item = usize>) -> Vec<Message<'static>> {
    users.into_iter().enumerate().map(|(index, user)| Message::new(user as u64, index.to_string())).collect()
}

fn delivered() -> Result<Outcome, Error> {
    Ok(Outcome::new(Status::Ok, Delivery::Delivered))
}

/// The indices in the order in which `send` got them.
fn order(messages: &[Message<'_>], connections: usize) -> Vec<usize> {
    let sent = Mutex::new(Vec::new());
    let send = |message: &Message<'_>, _: &Waiter| {
        sent.lock().unwrap().push(message.content().parse().unwrap());
        delivered()
    };
    let mut done = 0;
    run(&messages, connections, &waiter(Hooks::default()), &send, &mut |_, _| {
        done += 1;
        false
    })
    .unwrap();
    assert_eq!(done, messages.len());
    sent.into_inner().unwrap()
}

#[test]
fn every_message_is_sent_once() {
    for (count, connections) in [(0, 4), (1, 4), (3, 1), (1000, 16)] {
        let mut sent = order(&to(0..count), connections);
        sent.sort_unstable();
        assert_eq!(sent, (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn messages_to_one_user_keep_their_order() {
    for users in [1, 2, 7] {
        let sent = order(&to((0..500).map(|index| index % users)), 8);
        for user in 0..users {
            let to_user: Vec<_> = sent.iter().filter(|index| *index % users == user).collect();
            assert!(to_user.is_sorted() && to_user.len() >= 500 / users);
        }
    }
}

#[test]
fn no_two_messages_to_one_user_are_under_way_at_once() {
    let under_way = [const { AtomicUsize::new(0) }; 3];
    let send = |message: &Message<'_>, _: &Waiter| {
        let count = &under_way[message.recipient().parse::<usize>().unwrap()];
        assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0);
        thread::yield_now();
        count.fetch_sub(1, Ordering::SeqCst);
        delivered()
    };
    run(&&*to((0..600).map(|index| index % 3)), 8, &waiter(Hooks::default()), &send, &mut |_, _| false).unwrap();
}

#[test]
fn outcomes_and_log_lines_come_on_the_calling_thread() {
    let caller = thread::current().id();
    let lines = Arc::new(AtomicUsize::new(0));
    let count = lines.clone();
    let log: crate::Log = Arc::new(move |_, _| {
        assert_eq!(thread::current().id(), caller);
        count.fetch_add(1, Ordering::Relaxed);
    });
    let send = |_: &Message<'_>, waiter: &Waiter| {
        assert_ne!(thread::current().id(), caller);
        waiter.hooks().log(Level::Info, || "sent".into());
        delivered()
    };
    let waiter = waiter(Hooks { log: Some((Level::Info, log)), interrupt: None });
    run(&&*to(0..100), 4, &waiter, &send, &mut |_, _| {
        assert_eq!(thread::current().id(), caller);
        false
    })
    .unwrap();
    assert_eq!(lines.load(Ordering::Relaxed), 100);
}

/// Sends as a client does: not at all once the bell has rung.
fn until_stopped(_: &Message<'_>, waiter: &Waiter) -> Result<Outcome, Error> {
    match waiter.bell().check() {
        Ok(()) => delivered(),
        Err(_) => Err(Error::new(Outcome::new(Status::Cancelled, Delivery::NotDelivered))),
    }
}

#[test]
fn a_stop_leaves_the_rest_undelivered_and_tells_of_each() {
    let (mut told, mut cancelled) = (0, 0);
    run(&&*to(0..1000), 4, &waiter(Hooks::default()), &until_stopped, &mut |_, outcome| {
        told += 1;
        cancelled += usize::from(outcome.status() == Status::Cancelled);
        told == 10
    })
    .unwrap();
    assert_eq!(told, 1000);
    assert!(cancelled > 900, "{cancelled}");
}

#[test]
fn the_interrupt_callback_stops_a_batch() {
    let hang = |_: &Message<'_>, waiter: &Waiter| {
        let stopped = waiter.until(Instant::now() + Duration::from_secs(60));
        assert!(matches!(stopped, Err(Stop::Cancelled)));
        delivered()
    };
    let waiter = waiter(Hooks { log: None, interrupt: Some(Arc::new(|| true)) });
    run(&&*to(0..4), 4, &waiter, &hang, &mut |_, _| false).unwrap();
}

#[test]
fn a_panic_of_the_callback_ends_the_batch() {
    let panicked = std::panic::catch_unwind(|| {
        run(&&*to(0..1000), 4, &waiter(Hooks::default()), &until_stopped, &mut |_, _| panic!("in progress"))
    });
    assert!(panicked.is_err());
}

#[test]
fn a_busy_batch_asks_the_interrupt_callback_too() {
    let waiter = waiter(Hooks { log: None, interrupt: Some(Arc::new(|| true)) });
    let mut cancelled = 0;
    run(&&*to(0..300_000), 2, &waiter, &until_stopped, &mut |_, outcome| {
        cancelled += usize::from(outcome.status() == Status::Cancelled);
        cancelled > 0
    })
    .unwrap();
    assert!(cancelled > 0);
}

#[test]
fn on_a_closed_client_no_worker_is_quick_enough_to_send() {
    let waiter = waiter(Hooks::default());
    waiter.bell().ring(End::Closed);
    run(&&*to(0..100), 8, &waiter, &until_stopped, &mut |_, outcome| {
        assert_eq!(outcome.delivery(), Delivery::NotDelivered);
        false
    })
    .unwrap();
}

#[test]
fn a_panic_while_one_message_is_sent_is_that_messages_outcome() {
    let send =
        |message: &Message<'_>, _: &Waiter| if message.content() == "3" { panic!("contained") } else { delivered() };
    run(&&*to(0..10), 4, &waiter(Hooks::default()), &send, &mut |index, outcome| {
        assert_eq!(outcome.status(), if index == 3 { Status::Internal } else { Status::Ok });
        false
    })
    .unwrap();
}
