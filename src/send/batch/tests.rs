use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

fn context(hooks: Hooks) -> CallContext {
    CallContext::new(Arc::new(hooks), Arc::new(CancelSignal::new().unwrap()))
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
    let send = |message: &Message<'_>, _: &CallContext| {
        sent.lock().unwrap().push(message.content().parse().unwrap());
        delivered()
    };
    let mut done = 0;
    run(&messages, connections, &context(Hooks::default()), &send, &mut |_, _| done += 1, &mut || false).unwrap();
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
fn no_two_messages_to_one_user_are_in_flight_at_once() {
    let in_flight = [const { AtomicUsize::new(0) }; 3];
    let send = |message: &Message<'_>, _: &CallContext| {
        let count = &in_flight[message.recipient().parse::<usize>().unwrap()];
        assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0);
        thread::yield_now();
        count.fetch_sub(1, Ordering::SeqCst);
        delivered()
    };
    run(&&*to((0..600).map(|index| index % 3)), 8, &context(Hooks::default()), &send, &mut |_, _| (), &mut || false)
        .unwrap();
}

#[test]
fn outcomes_and_log_lines_come_on_the_calling_thread() {
    let caller = thread::current().id();
    let lines = Arc::new(AtomicUsize::new(0));
    let count = lines.clone();
    let log: crate::model::hooks::Log = Arc::new(move |_, _| {
        assert_eq!(thread::current().id(), caller);
        count.fetch_add(1, Ordering::Relaxed);
    });
    let send = |_: &Message<'_>, context: &CallContext| {
        assert_ne!(thread::current().id(), caller);
        context.hooks().log(Level::Info, || "sent".into());
        delivered()
    };
    let context = context(Hooks { log: Some((Level::Info, log)), interrupt: None });
    let mut on_outcome = |_, _| assert_eq!(thread::current().id(), caller);
    let mut should_stop = || {
        assert_eq!(thread::current().id(), caller);
        false
    };
    run(&&*to(0..100), 4, &context, &send, &mut on_outcome, &mut should_stop).unwrap();
    assert_eq!(lines.load(Ordering::Relaxed), 100);
}

/// Sends like a client: refuses to once the signal has cancelled.
fn until_stopped(_: &Message<'_>, context: &CallContext) -> Result<Outcome, Error> {
    match context.check() {
        Ok(()) => delivered(),
        Err(_) => Err(Error::new(Outcome::new(Status::Cancelled, Delivery::NotDelivered))),
    }
}

#[test]
fn a_stop_leaves_the_rest_undelivered_reports_each_and_does_not_ask_again() {
    let (mut told, mut cancelled, mut asked) = (0, 0, 0);
    let mut on_outcome = |_, outcome: Outcome| {
        told += 1;
        cancelled += usize::from(outcome.status() == Status::Cancelled);
    };
    let mut should_stop = || {
        asked += 1;
        asked == 10
    };
    run(&&*to(0..1000), 4, &context(Hooks::default()), &until_stopped, &mut on_outcome, &mut should_stop).unwrap();
    assert_eq!((told, asked), (1000, 10));
    assert!(cancelled > 900, "{cancelled}");
}

#[test]
fn the_interrupt_callback_stops_a_batch() {
    let hang = |_: &Message<'_>, context: &CallContext| {
        let stopped = context.until(Instant::now() + Duration::from_secs(60));
        assert!(matches!(stopped, Err(Stop::Cancelled)));
        delivered()
    };
    let context = context(Hooks { log: None, interrupt: Some(Arc::new(|| true)) });
    run(&&*to(0..4), 4, &context, &hang, &mut |_, _| (), &mut || false).unwrap();
}

#[test]
fn a_panic_of_the_callback_ends_the_batch() {
    let panicked = std::panic::catch_unwind(|| {
        let mut should_stop = || panic!("in progress");
        run(&&*to(0..1000), 4, &context(Hooks::default()), &until_stopped, &mut |_, _| (), &mut should_stop)
    });
    assert!(panicked.is_err());
}

#[test]
fn a_busy_batch_asks_the_interrupt_callback_too() {
    let context = context(Hooks { log: None, interrupt: Some(Arc::new(|| true)) });
    let mut cancelled = 0;
    let mut on_outcome = |_, outcome: Outcome| cancelled += usize::from(outcome.status() == Status::Cancelled);
    run(&&*to(0..300_000), 2, &context, &until_stopped, &mut on_outcome, &mut || false).unwrap();
    assert!(cancelled > 0);
}

#[test]
fn a_batch_with_a_slow_progress_callback_still_asks_the_interrupt_callback() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let interrupt: crate::model::hooks::Interrupt = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        false
    });
    let context = context(Hooks { log: None, interrupt: Some(interrupt) });
    let started = Instant::now();
    let mut slow = || {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2) {
            thread::yield_now();
        }
        false
    };
    run(&&*to(0..300), 64, &context, &|_: &Message<'_>, _: &CallContext| delivered(), &mut |_, _| (), &mut slow)
        .unwrap();
    let took = started.elapsed().as_millis() as usize;
    assert!(asked.load(Ordering::Relaxed) >= took / 200, "{asked:?} times in {took} ms");
}

#[test]
fn on_a_closed_client_no_worker_sends() {
    let context = context(Hooks::default());
    context.signal().cancel(CancelReason::Closed);
    let mut on_outcome = |_, outcome: Outcome| assert_eq!(outcome.delivery(), Delivery::NotDelivered);
    run(&&*to(0..100), 8, &context, &until_stopped, &mut on_outcome, &mut || false).unwrap();
}

#[test]
fn a_panic_while_one_message_is_sent_is_that_messages_outcome() {
    let send = |message: &Message<'_>, _: &CallContext| {
        if message.content() == "3" { panic!("contained") } else { delivered() }
    };
    let mut on_outcome = |index, outcome: Outcome| {
        assert_eq!(outcome.status(), if index == 3 { Status::Internal } else { Status::Ok });
    };
    run(&&*to(0..10), 4, &context(Hooks::default()), &send, &mut on_outcome, &mut || false).unwrap();
}
