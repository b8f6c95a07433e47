use std::cell::Cell;

use super::*;
use crate::send::retry::Jitter;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A limiter and a clock that only moves when it is set.
struct Clock {
    limiter: Limiter,
    start: Instant,
    now: Cell<Instant>,
}

impl Clock {
    fn new(max_per_second: Option<u32>) -> Self {
        let start = Instant::now();
        Clock { limiter: Limiter::new(max_per_second), start, now: Cell::new(start) }
    }

    fn wait(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }

    fn join(&self) -> Ticket<'_> {
        self.limiter.join(self.now.get(), None).unwrap()
    }

    /// When the ticket goes if it polls at every time that it is told to, in milliseconds from the start.
    fn goes(&self, ticket: &mut Ticket<'_>) -> u64 {
        let mut now = self.now.get();
        loop {
            match ticket.turn(now, None) {
                Turn::Now => return (now - self.start).as_millis() as u64,
                Turn::PollAt(next) => {
                    assert!(next > now && next <= now + POLL_EVERY);
                    now = next;
                }
                Turn::TooLate(_) => unreachable!("no latest time is given"),
            }
        }
    }

    /// When the tickets go if they poll one after the other.
    fn all_go<'a>(&self, tickets: impl IntoIterator<Item = Ticket<'a>>) -> Vec<u64> {
        tickets.into_iter().map(|mut ticket| self.goes(&mut ticket)).collect()
    }

    /// Whether the ticket goes now.
    fn is_on(&self, ticket: &mut Ticket<'_>) -> bool {
        ticket.turn(self.now.get(), None) == Turn::Now
    }
}

#[test]
fn without_a_rate_or_a_pause_nothing_waits() {
    let clock = Clock::new(None);
    assert!(clock.limiter.is_idle());
    assert_eq!(clock.all_go([clock.join(), clock.join(), clock.join()]), [0, 0, 0]);
}

#[test]
fn turns_are_evenly_spaced_in_order_of_arrival() {
    let clock = Clock::new(Some(50));
    assert!(!clock.limiter.is_idle());
    assert_eq!(clock.all_go([clock.join(), clock.join(), clock.join(), clock.join()]), [0, 20, 40, 60]);
}

#[test]
fn idle_time_is_not_saved_up() {
    let clock = Clock::new(Some(50));
    clock.all_go([clock.join()]);
    clock.wait(ms(5000));
    assert_eq!(clock.all_go([clock.join(), clock.join()]), [5000, 5020]);
}

#[test]
fn a_turn_after_the_latest_moment_is_not_taken() {
    let clock = Clock::new(Some(1));
    clock.all_go([clock.join()]);
    assert_eq!(clock.limiter.join(clock.now.get(), Some(clock.now.get() + ms(999))).unwrap_err(), ms(1000));
    let ticket = clock.limiter.join(clock.now.get(), Some(clock.now.get() + ms(1000))).unwrap();
    assert_eq!(clock.all_go([ticket]), [1000]);
}

#[test]
fn a_ticket_that_wakes_up_after_the_latest_moment_is_not_used() {
    let clock = Clock::new(Some(1));
    clock.all_go([clock.join()]);
    let latest = Some(clock.now.get() + ms(1500));
    let mut ticket = clock.limiter.join(clock.now.get(), latest).unwrap();
    clock.wait(ms(1500) + LATE + ms(1));
    assert_eq!(ticket.turn(clock.now.get(), latest), Turn::TooLate(Duration::ZERO));
    drop(ticket);
    assert_eq!(clock.all_go([clock.join()]), [1511]);
}

#[test]
fn a_ticket_whose_turn_is_the_latest_moment_goes_though_its_thread_wakes_up_a_little_late() {
    let clock = Clock::new(Some(1));
    clock.all_go([clock.join()]);
    let latest = Some(clock.now.get() + ms(1000));
    let mut ticket = clock.limiter.join(clock.now.get(), latest).unwrap();
    clock.wait(ms(1000) + LATE / 2);
    assert_eq!(ticket.turn(clock.now.get(), latest), Turn::Now);
}

#[test]
fn a_ticket_that_is_dropped_unused_costs_nobody_anything() {
    let clock = Clock::new(Some(1));
    clock.all_go([clock.join()]);
    let mut line: Vec<_> = (0..16).map(|_| clock.join()).collect();
    let mut last = line.pop().unwrap();
    clock.wait(ms(400));
    assert_eq!(last.turn(clock.now.get(), None), Turn::PollAt(clock.now.get() + POLL_EVERY)); // its turn is at 16 s
    drop(line);
    assert_eq!(clock.goes(&mut last), 1000);
    drop((clock.join(), clock.join()));
    assert_eq!(clock.all_go([clock.join()]), [2000]);
}

#[test]
fn tickets_before_a_dropped_one_keep_their_turn_and_those_behind_move_up_by_one() {
    let clock = Clock::new(Some(50));
    let (a, b, c, d) = (clock.join(), clock.join(), clock.join(), clock.join());
    drop(b);
    assert_eq!(clock.all_go([a, c, d]), [0, 20, 40]);
}

#[test]
fn a_ticket_that_polls_late_delays_no_other() {
    let clock = Clock::new(Some(50));
    let (mut late, mut behind) = (clock.join(), clock.join());
    for _ in 0..10 {
        clock.wait(ms(20));
        assert!(clock.is_on(&mut behind));
        behind = clock.join();
        assert!(!clock.is_on(&mut behind));
    }
    clock.wait(ms(5));
    assert_eq!([&mut late, &mut behind].map(|ticket| clock.goes(ticket)), [220, 240]); // the first is first again at once
}

#[test]
fn after_a_standstill_the_order_is_that_of_arrival_again_whoever_wakes_up_first() {
    let clock = Clock::new(Some(50));
    let (mut a, mut b, mut c, mut d) = (clock.join(), clock.join(), clock.join(), clock.join());
    clock.wait(ms(10_000));
    assert!(clock.is_on(&mut d));
    assert!(!clock.is_on(&mut c) && !clock.is_on(&mut b) && !clock.is_on(&mut a));
    assert_eq!([&mut a, &mut b, &mut c].map(|ticket| clock.goes(ticket)), [10_010, 10_030, 10_050]);
}

#[test]
fn a_ticket_that_polls_a_little_late_keeps_its_slot() {
    let clock = Clock::new(Some(1000));
    let mut line: Vec<_> = (0..11).map(|_| clock.join()).collect();
    clock.wait(ms(10));
    for ticket in line.iter_mut().rev() {
        assert!(clock.is_on(ticket));
    }
    assert!(!clock.is_on(&mut clock.join()));
}

#[test]
fn the_planned_time_counts_so_that_the_rate_holds_on_average() {
    let clock = Clock::new(Some(50));
    let start = clock.now.get();
    let mut line: Vec<_> = (0..100).map(|_| clock.join()).collect();
    for (number, ticket) in (0..).zip(&mut line) {
        if number > 0 {
            clock.now.set(start + ms(20 * number - 1));
            assert!(!clock.is_on(ticket), "{number}");
        }
        clock.now.set(start + ms(20 * number + number % 11)); // how late its thread woke up
        assert!(clock.is_on(ticket), "{number}");
    }
}

#[test]
fn the_time_lost_in_a_long_standstill_is_not_made_up_for() {
    let clock = Clock::new(Some(50));
    let mut line: Vec<_> = (0..5).map(|_| clock.join()).collect();
    clock.wait(ms(10_000));
    let went: Vec<_> = line.iter_mut().map(|ticket| clock.goes(ticket)).collect();
    assert_eq!(went, [10_000, 10_010, 10_030, 10_050, 10_070]); // the first counts as at 9,990
}

#[test]
fn after_a_pause_all_go_one_by_one_in_the_order_of_the_queue_and_newcomers_after_them() {
    for (rate, distance) in [(None, 10), (Some(50), 20)] {
        let clock = Clock::new(rate);
        clock.limiter.pause(clock.now.get(), ms(100));
        let (a, b, c) = (clock.join(), clock.join(), clock.join());
        clock.limiter.pause(clock.now.get(), ms(3000));
        let d = clock.join();
        clock.wait(ms(2999));
        let e = clock.join();
        assert_eq!(clock.all_go([a, b, c, d, e]), [0, 1, 2, 3, 4].map(|place| 3000 + place * distance), "{rate:?}");
    }
}

#[test]
fn after_a_pause_newcomers_do_not_overtake_tickets_that_waited_through_it() {
    for rate in [None, Some(100)] {
        let clock = Clock::new(rate);
        clock.limiter.pause(clock.now.get(), ms(3000));
        let (mut a, mut b, mut c) = (clock.join(), clock.join(), clock.join());
        clock.wait(ms(3000));
        let mut newcomer = clock.join();
        assert!(!clock.is_on(&mut newcomer));
        assert_eq!([&mut a, &mut b, &mut c, &mut newcomer].map(|ticket| clock.goes(ticket)), [3000, 3010, 3020, 3030]);
    }
}

#[test]
fn without_a_rate_newcomers_join_the_queue_that_leaves_a_pause_and_go_freely_once_it_is_empty() {
    let clock = Clock::new(None);
    clock.limiter.pause(clock.now.get(), ms(3000));
    let held = [clock.join(), clock.join()];
    clock.wait(ms(3005));
    let newcomers: Vec<_> = (0..3).map(|_| clock.join()).collect();
    assert_eq!(clock.all_go(held), [3005, 3010]);
    assert_eq!(clock.all_go(newcomers), [3020, 3030, 3040]);
    clock.wait(ms(55));
    let later: Vec<_> = (0..3).map(|_| clock.join()).collect();
    assert_eq!(clock.all_go(later), [3060, 3060, 3060]);
}

#[test]
fn a_pause_also_moves_tickets_back_whose_turn_was_after_its_end() {
    let clock = Clock::new(Some(50));
    let line: Vec<_> = (0..4).map(|_| clock.join()).collect();
    clock.limiter.pause(clock.now.get(), ms(30));
    assert_eq!(clock.all_go(line), [30, 50, 70, 90]);
}

#[test]
fn a_shorter_pause_does_not_end_a_longer_one() {
    let clock = Clock::new(None);
    clock.limiter.pause(clock.now.get(), ms(3000));
    clock.limiter.pause(clock.now.get(), ms(1000));
    clock.limiter.pause(clock.now.get(), Duration::ZERO);
    assert_eq!(clock.all_go([clock.join()]), [3000]);
}

#[test]
fn a_pause_never_shortens_the_distance_to_the_last_request() {
    for asked in [ms(0), ms(1), ms(999), ms(1000)] {
        let clock = Clock::new(Some(1));
        for number in 0..10 {
            let mut ticket = clock.join();
            let went = clock.goes(&mut ticket);
            assert_eq!(went, number * 1000, "a pause of {asked:?}");
            clock.now.set(clock.start + ms(went));
            clock.limiter.pause(clock.now.get(), asked);
        }
    }
}

#[test]
fn after_a_pause_the_limiter_works_as_before_it() {
    let clock = Clock::new(None);
    clock.limiter.pause(clock.now.get(), ms(100));
    clock.wait(ms(200));
    assert_eq!(clock.all_go([clock.join(), clock.join()]), [200, 200]);
}

/// The limiter of a client that was told to wait for a year, at the end of its pause.
fn told_to_wait_for_a_year(rate: Option<u32>) -> Clock {
    let clock = Clock::new(rate);
    clock.limiter.pause(clock.now.get(), YEAR);
    let mut early = clock.join();
    clock.wait(LONGEST_PAUSE - ms(1));
    assert!(!clock.is_on(&mut early));
    drop(early);
    clock.wait(ms(1));
    clock
}

#[test]
fn a_pause_is_bounded_and_then_one_probe_goes_at_a_time() {
    let clock = told_to_wait_for_a_year(None);
    let (mut probe, mut other) = (clock.join(), clock.join());
    assert!(clock.is_on(&mut probe));
    for _ in 0..100 {
        clock.wait(ms(500));
        assert_eq!(other.turn(clock.now.get(), None), Turn::PollAt(clock.now.get() + POLL_EVERY));
    }
    let latest = Some(clock.now.get() + ms(50));
    assert_eq!(other.turn(clock.now.get(), latest), Turn::TooLate(POLL_EVERY));
    assert_eq!(clock.limiter.join(clock.now.get(), latest).unwrap_err(), POLL_EVERY);
}

#[test]
fn a_probe_that_is_answered_ends_the_probing() {
    for rate in [None, Some(1000)] {
        let clock = told_to_wait_for_a_year(rate);
        let (mut probe, mut other, mut third) = (clock.join(), clock.join(), clock.join());
        assert!(clock.is_on(&mut probe));
        clock.wait(ms(500));
        assert!(!clock.is_on(&mut other));
        probe.answered();
        assert!(clock.is_on(&mut other));
        clock.wait(ms(10));
        assert!(clock.is_on(&mut third));
    }
}

#[test]
fn a_probe_without_an_answer_lets_the_next_one_go() {
    let clock = told_to_wait_for_a_year(None);
    let (mut probe, mut next, mut third) = (clock.join(), clock.join(), clock.join());
    assert!(clock.is_on(&mut probe));
    clock.wait(ms(500));
    drop(probe);
    assert!(clock.is_on(&mut next));
    clock.wait(ms(500));
    assert!(!clock.is_on(&mut third));
}

#[test]
fn a_probe_that_is_refused_starts_another_bounded_pause() {
    let clock = told_to_wait_for_a_year(None);
    let (mut probe, mut next, mut third) = (clock.join(), clock.join(), clock.join());
    assert!(clock.is_on(&mut probe));
    clock.limiter.pause(clock.now.get(), YEAR * 100);
    drop(probe);
    clock.wait(LONGEST_PAUSE - ms(1));
    assert!(!clock.is_on(&mut next));
    clock.wait(ms(1));
    assert!(clock.is_on(&mut next));
    // A short pause instead of a long one does not end the probing.
    clock.limiter.pause(clock.now.get(), ms(1000));
    drop(next);
    clock.wait(ms(1000));
    assert!(clock.is_on(&mut third));
    assert!(!clock.is_on(&mut clock.join()));
}

#[test]
fn only_the_answer_to_the_probe_ends_the_probing() {
    let clock = Clock::new(Some(1000));
    let (mut refused, mut before) = (clock.join(), clock.join());
    assert!(clock.is_on(&mut refused));
    clock.wait(ms(1));
    assert!(clock.is_on(&mut before));
    clock.limiter.pause(clock.now.get(), YEAR);
    before.answered(); // to a request that went before the pause
    clock.wait(LONGEST_PAUSE);
    let (mut probe, mut other) = (clock.join(), clock.join());
    assert!(clock.is_on(&mut probe));
    clock.wait(ms(500));
    assert!(!clock.is_on(&mut other));
}

#[test]
fn a_probe_from_before_another_long_pause_is_not_the_one_that_is_waited_for() {
    let clock = Clock::new(None);
    clock.limiter.pause(clock.now.get(), LONGEST_PAUSE + ms(1000));
    clock.wait(LONGEST_PAUSE);
    let mut old = clock.join();
    assert!(clock.is_on(&mut old));
    clock.wait(ms(2000)); // the pause that was asked for has passed
    let mut free = clock.join();
    assert!(clock.is_on(&mut free));
    clock.limiter.pause(clock.now.get(), YEAR);
    drop(free);
    clock.wait(LONGEST_PAUSE);
    let (mut probe, mut other) = (clock.join(), clock.join());
    assert!(!clock.is_on(&mut probe), "the old one is still in flight");
    drop(old);
    assert!(clock.is_on(&mut probe));
    clock.wait(ms(500));
    assert!(!clock.is_on(&mut other));
}

#[test]
fn the_probing_ends_when_the_pause_that_was_asked_for_has_passed() {
    let clock = Clock::new(None);
    clock.limiter.pause(clock.now.get(), LONGEST_PAUSE + ms(1000));
    clock.wait(LONGEST_PAUSE);
    let (mut probe, mut other) = (clock.join(), clock.join());
    assert!(clock.is_on(&mut probe));
    clock.wait(ms(999));
    assert!(!clock.is_on(&mut other));
    clock.wait(ms(1));
    assert!(clock.is_on(&mut other));
}

#[test]
fn a_pause_of_up_to_the_longest_is_followed_by_no_probing() {
    let clock = Clock::new(None);
    clock.limiter.pause(clock.now.get(), LONGEST_PAUSE);
    clock.wait(LONGEST_PAUSE);
    assert_eq!(clock.all_go([clock.join(), clock.join()]), [300_000, 300_000]);
}

#[test]
fn no_clock_overflows() {
    for asked in [YEAR * 100, Duration::MAX] {
        let clock = Clock::new(Some(1));
        clock.limiter.pause(clock.now.get(), asked);
        clock.limiter.pause(clock.now.get(), asked);
        clock.wait(LONGEST_PAUSE);
        assert!(clock.is_on(&mut clock.join()));
    }
}

/// A ticket in the property test below.
struct Waiting<'a> {
    ticket: Ticket<'a>,
    poll_at: Instant,
    latest: Option<Instant>,
}

/// Threads that join, look (some of them late), give up and pause, at random.
#[test]
fn the_rate_the_pauses_and_the_order_hold_in_every_sequence() {
    for seed in 0..200 {
        let mut jitter = Jitter::new(seed);
        let mut roll = |most: u64| (jitter.roll() * most as f64) as u64;
        let rate = [None, Some(3), Some(7), Some(50), Some(1000)][roll(5) as usize];
        let late = [0, 5, 300][roll(3) as usize];
        let limiter = Limiter::new(rate);
        let interval = limiter.interval;
        let mut now = Instant::now();
        let mut line: Vec<Waiting<'_>> = Vec::new();
        let (mut went, mut paused_until): (Vec<Instant>, _) = (Vec::new(), now);
        let mut drained_by = None;
        for step in 0.. {
            let draining = step >= 200;
            match roll(10) {
                _ if draining => match line.iter().map(|waiting| waiting.poll_at).min() {
                    Some(next) => now = now.max(next),
                    None => break,
                },
                0..=3 => {
                    let latest = (roll(4) == 0).then(|| now + ms(roll(5000)));
                    match limiter.join(now, latest) {
                        Ok(ticket) => line.push(Waiting { ticket, poll_at: now, latest }),
                        Err(wait) => assert!(latest.is_some_and(|latest| now + wait > latest), "seed {seed}"),
                    }
                }
                4 if !line.is_empty() => drop(line.remove(roll(line.len() as u64) as usize)),
                5 if roll(4) == 0 => {
                    let asked = ms(roll(3000));
                    limiter.pause(now, asked);
                    paused_until = paused_until.max(now + asked);
                }
                _ => {
                    let most = [20, 20, 20, 20, 3000][roll(5) as usize];
                    let until = now + ms(roll(most));
                    let next = line.iter().map(|waiting| waiting.poll_at).min();
                    now = now.max(next.map_or(until, |next| next.min(until)));
                }
            }
            // Without a rate limit, the last request that a pause held back may have gone a moment ago.
            let distance = if rate.is_some() { interval } else { RELEASE };
            if line.is_empty() && now >= paused_until && went.last().is_none_or(|last| now >= *last + distance) {
                let turn = limiter.join(now, None).unwrap().turn(now, None);
                assert_eq!(turn, Turn::Now, "seed {seed}: nobody is in line, and it does not go");
                went.push(now);
            }
            line.retain_mut(|waiting| {
                if waiting.poll_at > now || (late > 0 && roll(3) == 0) {
                    return true;
                }
                match waiting.ticket.turn(now, waiting.latest) {
                    Turn::Now => {
                        assert!(now >= paused_until, "seed {seed}: it went in a pause");
                        went.push(now);
                        false
                    }
                    Turn::PollAt(next) => {
                        assert!(next > now && next <= now + POLL_EVERY, "seed {seed}");
                        waiting.poll_at = next + ms(roll(late + 1));
                        true
                    }
                    Turn::TooLate(wait) => {
                        assert!(waiting.latest.is_some_and(|latest| now + wait > latest), "seed {seed}");
                        false
                    }
                }
            });
            let places = limiter.state().queue.clone();
            let mut ids = line.iter().map(|waiting| waiting.ticket.id);
            assert!(places.iter().all(|place| ids.any(|id| id == *place)), "seed {seed}: {places:?} are in line");
            if draining && drained_by.is_none() {
                drained_by = Some(now.max(paused_until) + distance * (line.len() as u32 + 1) + POLL_EVERY);
            }
        }
        assert!(late > 0 || drained_by.is_none_or(|by| now <= by), "seed {seed}: the last went late");
        // The requests kept to the rate, except for how late a thread may be.
        let mut planned = went[0];
        for next in &went[1..] {
            planned = (planned + interval).max(*next);
            assert!(*next + LATE >= planned, "seed {seed}: one went {:?} too early", planned - *next);
        }
    }
}
