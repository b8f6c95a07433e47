use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn at(reserved: Result<Slot, Duration>) -> Result<Instant, Duration> {
    reserved.map(|slot| slot.at)
}

#[test]
fn without_a_rate_or_a_pause_nothing_waits() {
    let (limiter, now) = (Limiter::new(None), Instant::now());
    for _ in 0..3 {
        assert_eq!(at(limiter.reserve(now, now)), Ok(now));
    }
}

#[test]
fn slots_are_evenly_spaced_in_order_of_arrival() {
    let (limiter, now) = (Limiter::new(Some(50)), Instant::now());
    let slots: Vec<_> = (0..4).map(|_| limiter.reserve(now, now + ms(1000)).unwrap().at - now).collect();
    assert_eq!(slots, [ms(0), ms(20), ms(40), ms(60)]);
}

#[test]
fn idle_time_is_not_saved_up() {
    let (limiter, now) = (Limiter::new(Some(50)), Instant::now());
    limiter.reserve(now, now).unwrap();
    let later = now + ms(5000);
    let slots: Vec<_> = (0..2).map(|_| limiter.reserve(later, later + ms(1000)).unwrap().at - later).collect();
    assert_eq!(slots, [ms(0), ms(20)]);
}

#[test]
fn a_slot_past_the_deadline_is_not_taken() {
    let (limiter, now) = (Limiter::new(Some(1)), Instant::now());
    limiter.reserve(now, now).unwrap();
    assert_eq!(limiter.reserve(now, now + ms(999)), Err(ms(1000)));
    assert_eq!(at(limiter.reserve(now, now + ms(1000))), Ok(now + ms(1000)));
}

#[test]
fn a_pause_holds_everyone_back_and_lets_them_out_one_by_one() {
    let (limiter, now) = (Limiter::new(None), Instant::now());
    let early = limiter.reserve(now, now).unwrap();
    limiter.pause(now + ms(3000));
    assert!(!limiter.still_open(early));
    let slots: Vec<_> = (0..3).map(|_| limiter.reserve(now, now + ms(9000)).unwrap().at - now).collect();
    assert_eq!(slots, [ms(3000), ms(3010), ms(3020)]);
    let slot = limiter.reserve(now, now + ms(9000)).unwrap();
    assert!(limiter.still_open(slot));
}

#[test]
fn a_shorter_pause_does_not_end_a_longer_one() {
    let (limiter, now) = (Limiter::new(None), Instant::now());
    limiter.pause(now + ms(3000));
    limiter.pause(now + ms(1000));
    assert_eq!(at(limiter.reserve(now, now + ms(9000))), Ok(now + ms(3000)));
}

#[test]
fn after_a_pause_everything_is_as_before() {
    let (limiter, now) = (Limiter::new(None), Instant::now());
    limiter.pause(now + ms(100));
    let later = now + ms(200);
    assert_eq!(at(limiter.reserve(later, later)), Ok(later));
    assert_eq!(at(limiter.reserve(later, later)), Ok(later));
}

#[test]
fn a_pause_takes_back_the_slots_after_its_end_too_so_that_the_rate_holds() {
    let (limiter, now) = (Limiter::new(Some(50)), Instant::now());
    let before: Vec<_> = (0..4).map(|_| limiter.reserve(now, now + ms(1000)).unwrap()).collect();
    limiter.pause(now + ms(30));
    assert!(before.iter().all(|slot| !limiter.still_open(*slot)));
    let slots: Vec<_> = (0..4).map(|_| limiter.reserve(now, now + ms(1000)).unwrap().at - now).collect();
    assert_eq!(slots, [ms(30), ms(50), ms(70), ms(90)]);
}
