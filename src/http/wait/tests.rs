use std::io::Write;
use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;
use crate::sys::Pair;

/// A context with an interrupt callback that takes `takes`, and a counter of its calls.
fn asking(takes: Duration) -> (CallContext, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let interrupt: crate::model::hooks::Interrupt = Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        thread::sleep(takes);
        false
    });
    let hooks = Hooks { log: None, interrupt: Some(interrupt) };
    (CallContext::new(Arc::new(hooks), Arc::new(CancelSignal::new().unwrap())), asked)
}

/// A pair whose first end is always readable.
fn readable() -> (Pair, Pair) {
    let (ours, theirs) = sys::pair().unwrap();
    theirs.get().unwrap().write_all(b"x").unwrap();
    (ours, theirs)
}

#[test]
fn a_socket_that_is_always_ready_hides_neither_the_deadline_nor_the_interrupt_callback() {
    let ((context, asked), (ours, _theirs)) = (asking(Duration::ZERO), readable());
    let deadline = Instant::now() + Duration::from_millis(950);
    let ended = loop {
        if let Err(stop) = context.until_ready(&[Interest::read(&ours)], deadline) {
            break stop;
        }
    };
    assert!(matches!(ended, Stop::Deadline));
    // Every 100 ms; half as often on a machine that is busy.
    assert!((4..=9).contains(&asked.load(Ordering::SeqCst)), "{asked:?}");
    assert!(deadline.elapsed() < Duration::from_millis(300));
}

#[test]
fn after_the_deadline_a_ready_socket_counts_once() {
    let ((context, _), (ours, _theirs)) = (asking(Duration::ZERO), readable());
    let deadline = Instant::now();
    assert!(context.until_ready(&[Interest::read(&ours)], deadline).is_ok());
    assert!(matches!(context.until_ready(&[Interest::read(&ours)], deadline), Err(Stop::Deadline)));
    // Another call may still poll once.
    assert!(context.for_call(None).until_ready(&[Interest::read(&ours)], deadline).is_ok());
}

#[test]
fn after_a_callback_that_outlasts_the_deadline_nothing_starts_and_nothing_waits() {
    let (ours, _theirs) = sys::pair().unwrap();
    for is_wait in [false, true] {
        let (context, asked) = asking(Duration::from_millis(150));
        let (started, deadline) = (Instant::now(), Instant::now() + Duration::from_millis(200));
        while started.elapsed() <= ASK_EVERY {
            thread::yield_now();
        }
        let ended = if is_wait {
            context.until_ready(&[Interest::read(&ours)], deadline).map(|_| ())
        } else {
            context.check_time(deadline)
        };
        assert!(matches!(ended, Err(Stop::Deadline)), "{ended:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(deadline.elapsed() < Duration::from_millis(130));
    }
}

#[test]
fn every_cancel_signal_ends_every_wait_and_busy_work() {
    for (which, end) in [(0, CancelReason::Closed), (1, CancelReason::Cancelled), (2, CancelReason::Cancelled)] {
        let (client, _) = asking(Duration::ZERO);
        let [worker, message] = [(); 2].map(|()| Arc::new(CancelSignal::new().unwrap()));
        let context = client.for_worker(Arc::new(Hooks::default()), worker.clone());
        let context = context.for_call(Some(message.clone()));
        let (ours, _theirs) = readable();
        [client.signal(), &worker, &message][which].cancel(end);
        let far = Instant::now() + Duration::from_secs(60);
        for stopped in [context.check(), context.check_time(far), context.until(far)] {
            assert!(matches!(
                (stopped, end),
                (Err(Stop::Closed), CancelReason::Closed) | (Err(Stop::Cancelled), CancelReason::Cancelled)
            ));
        }
        assert!(context.until_ready(&[Interest::read(&ours)], far).is_err());
        assert_eq!(client.check().is_err(), which == 0);
    }
}

#[test]
fn a_wake_up_without_a_cancel_neither_ends_a_wait_nor_hides_its_deadline() {
    let context = CallContext::new(Arc::new(Hooks::default()), Arc::new(CancelSignal::new().unwrap()));
    // Simulates other code that has opened a file under the descriptor's number.
    context.signal().disturb();
    let started = Instant::now();
    context.until(started + Duration::from_millis(50)).unwrap();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(400), "{took:?}");
    thread::scope(|threads| {
        let wait = threads.spawn(|| context.until(Instant::now() + Duration::from_secs(60)));
        context.signal().cancel(CancelReason::Closed);
        assert!(matches!(wait.join().unwrap(), Err(Stop::Closed)));
    });
}
