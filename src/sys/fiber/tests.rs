use std::cell::RefCell;
use std::io::Write;

use super::*;
use crate::sys::pair;

fn nothing() -> io::Result<Ready> {
    Ok(Ready::default())
}

#[test]
fn a_fiber_runs_until_it_waits_and_goes_on_with_what_was_found() {
    let (ours, _theirs) = pair().unwrap();
    let found = Rc::new(RefCell::new(Vec::new()));
    let (log, interests) = (found.clone(), [Interest::read(&ours)]);
    let mut fiber = Fiber::new(move || {
        for _ in 0..2 {
            log.borrow_mut().push(wait(&interests, Duration::from_secs(60), Instant::now()).map(Ready::any));
        }
        park();
        log.borrow_mut().push(Ok(false));
    })
    .unwrap();
    assert!(fiber.waits_for().is_none(), "it has not begun");
    assert!(fiber.resume(nothing()));
    let (waits_for, until) = fiber.waits_for().unwrap();
    assert!(waits_for == interests && until > Instant::now() + Duration::from_secs(50));
    let mut ready = Ready::default();
    ready.set(0);
    assert!(fiber.resume(Ok(ready)));
    assert!(fiber.resume(Err(io::ErrorKind::Other.into())));
    assert!(fiber.waits_for().is_none(), "it is parked");
    assert!(!fiber.resume(nothing()), "it has ended");
    let found: Vec<_> = found.borrow().iter().map(|found| found.as_ref().ok().copied()).collect();
    assert_eq!(found, [Some(true), None, Some(false)]);
}

#[test]
fn a_fiber_that_has_ended_waits_for_nothing_and_may_be_resumed_again() {
    let (ours, _theirs) = pair().unwrap();
    let mut fiber = Fiber::new(move || {
        let interests = [Interest::read(&ours)];
        drop(wait(&interests, Duration::from_secs(60), Instant::now()));
    })
    .unwrap();
    assert!(fiber.resume(nothing()) && fiber.waits_for().is_some());
    assert!(!fiber.resume(nothing()));
    assert!(fiber.waits_for().is_none(), "what it waited for lay on its stack");
    assert!(!fiber.resume(nothing()));
}

#[test]
fn fibers_of_one_thread_wait_in_any_order_and_outside_of_them_a_wait_polls() {
    let (ours, theirs) = pair().unwrap();
    let interests = [Interest::read(&ours)];
    let mut fibers: Vec<_> = (0..3)
        .map(|rounds| {
            Fiber::new(move || {
                (0..rounds).for_each(|_| drop(wait(&interests, Duration::from_secs(60), Instant::now())));
            })
            .unwrap()
        })
        .collect();
    let alive =
        |fibers: &mut Vec<Fiber>| fibers.iter_mut().rev().map(|fiber| fiber.resume(nothing())).collect::<Vec<_>>();
    assert_eq!(alive(&mut fibers), [true, true, false]);
    assert!(!wait(&interests, Duration::ZERO, Instant::now()).unwrap().any());
    theirs.get().unwrap().write_all(b"x").unwrap();
    assert!(wait(&interests, Duration::from_secs(60), Instant::now()).unwrap().any());
    fibers.remove(0);
    assert_eq!(alive(&mut fibers), [true, false]);
}

#[test]
fn what_a_fiber_owns_is_dropped_with_it_wherever_it_waits() {
    let owned = Rc::new(());
    let inner = owned.clone();
    let mut fiber = Fiber::new(move || {
        let _inner = inner;
        park();
    })
    .unwrap();
    fiber.resume(nothing());
    assert_eq!(Rc::strong_count(&owned), 2);
    drop(fiber);
    assert_eq!(Rc::strong_count(&owned), 1);
}

#[test]
fn a_panic_in_a_fiber_can_be_caught_in_it_while_others_wait() {
    let mut waiting = Fiber::new(park).unwrap();
    waiting.resume(nothing());
    let mut fiber = Fiber::new(|| {
        let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7)));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&7));
    })
    .unwrap();
    assert!(!fiber.resume(nothing()));
    assert!(!waiting.resume(nothing()));
}

#[test]
fn a_wait_in_a_callback_of_the_host_does_not_pause_the_fiber() {
    let (ours, theirs) = pair().unwrap();
    let interests = [Interest::read(&ours)];
    theirs.get().unwrap().write_all(b"x").unwrap();
    let mut fiber = Fiber::new(move || {
        let found = outside_of_fibers(|| wait(&interests, Duration::from_secs(60), Instant::now()));
        assert!(found.unwrap().any());
        park();
    })
    .unwrap();
    assert!(fiber.resume(nothing()) && fiber.waits_for().is_none(), "it has got to the park");
    assert!(!fiber.resume(nothing()));
}
