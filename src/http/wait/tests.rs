use std::io::Write;
use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;

/// A waiter that asks, and how often it did. Every question takes `takes`.
fn asking(takes: Duration) -> (Waiter, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let interrupt: crate::model::hooks::Interrupt = Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        thread::sleep(takes);
        false
    });
    let hooks = Hooks { log: None, interrupt: Some(interrupt) };
    (Waiter::new(Arc::new(hooks), Arc::new(Bell::new().unwrap())), asked)
}

/// A pair of which the first is readable for ever.
fn readable() -> (Pair, Pair) {
    let (ours, theirs) = sys::pair().unwrap();
    theirs.get().unwrap().write_all(b"x").unwrap();
    (ours, theirs)
}

#[test]
fn what_is_ready_all_the_time_hides_neither_the_deadline_nor_the_interrupt_callback() {
    let ((waiter, asked), (ours, _theirs)) = (asking(Duration::ZERO), readable());
    let deadline = Instant::now() + Duration::from_millis(350);
    let ended = loop {
        if let Err(stop) = waiter.until_ready(&[Interest::read(&ours)], deadline) {
            break stop;
        }
    };
    assert!(matches!(ended, Stop::Deadline));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert!(deadline.elapsed() < Duration::from_millis(300));
}

#[test]
fn after_the_deadline_what_is_ready_counts_once() {
    let ((waiter, _), (ours, _theirs)) = (asking(Duration::ZERO), readable());
    let deadline = Instant::now();
    assert!(waiter.until_ready(&[Interest::read(&ours)], deadline).is_ok());
    assert!(matches!(waiter.until_ready(&[Interest::read(&ours)], deadline), Err(Stop::Deadline)));
    // Another call has a look of its own.
    assert!(waiter.for_call().until_ready(&[Interest::read(&ours)], deadline).is_ok());
}

#[test]
fn a_callback_that_outlasts_the_deadline_leaves_nothing_to_be_begun_or_waited_for() {
    let (ours, _theirs) = sys::pair().unwrap();
    for is_wait in [false, true] {
        let (waiter, asked) = asking(Duration::from_millis(150));
        let (started, deadline) = (Instant::now(), Instant::now() + Duration::from_millis(200));
        while started.elapsed() <= ASK_EVERY {
            thread::yield_now();
        }
        let ended = if is_wait {
            waiter.until_ready(&[Interest::read(&ours)], deadline).map(|_| ())
        } else {
            waiter.check_time(deadline)
        };
        assert!(matches!(ended, Err(Stop::Deadline)), "{ended:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(deadline.elapsed() < Duration::from_millis(130));
    }
}

#[test]
fn both_bells_end_every_wait_and_what_is_busy() {
    for (of_batch, end) in [(false, End::Closed), (true, End::Cancelled)] {
        let (client, _) = asking(Duration::ZERO);
        let batch = Arc::new(Bell::new().unwrap());
        let waiter = client.for_batch(Arc::new(Hooks::default()), batch.clone());
        let (ours, _theirs) = readable();
        if of_batch {
            batch.ring(end)
        } else {
            client.bell().ring(end)
        }
        let far = Instant::now() + Duration::from_secs(60);
        for stopped in [waiter.check(), waiter.check_time(far), waiter.until(far)] {
            assert!(matches!(
                (stopped, end),
                (Err(Stop::Closed), End::Closed) | (Err(Stop::Cancelled), End::Cancelled)
            ));
        }
        assert!(waiter.until_ready(&[Interest::read(&ours)], far).is_err());
        assert_eq!(client.check().is_err(), !of_batch);
    }
}

#[test]
fn a_wake_up_that_nobody_rang_neither_ends_a_wait_nor_keeps_it_from_its_deadline() {
    let waiter = Waiter::new(Arc::new(Hooks::default()), Arc::new(Bell::new().unwrap()));
    // As where other code has put a file under the descriptor's number.
    waiter.bell().theirs.get().unwrap().write_all(b"x").unwrap();
    let started = Instant::now();
    waiter.until(started + Duration::from_millis(50)).unwrap();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(400), "{took:?}");
    thread::scope(|threads| {
        let wait = threads.spawn(|| waiter.until(Instant::now() + Duration::from_secs(60)));
        waiter.bell().ring(End::Closed);
        assert!(matches!(wait.join().unwrap(), Err(Stop::Closed)));
    });
}
