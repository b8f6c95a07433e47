use super::*;

fn job(user: u64, tag: usize) -> Job {
    let message = Message::new(user, "Hi").to_owned().unwrap();
    Job { message, tag: Tag::Value(tag), user, pushed: Instant::now(), deadline: None }
}

fn order(jobs: impl IntoIterator<Item = (u64, usize)>) -> Order {
    let mut order = Order::default();
    jobs.into_iter().for_each(|(user, tag)| order.add(job(user, tag)));
    order
}

fn begun(order: &mut Order) -> Option<usize> {
    let Tag::Value(value) = order.begin()?.tag else { unreachable!() };
    Some(value)
}

fn remove(order: &mut Order, tag: usize) -> usize {
    order.remove(|job| matches!(job.tag, Tag::Value(value) if value == tag)).len()
}

#[test]
fn a_message_waits_for_the_one_before_it_to_its_user_and_for_no_other() {
    let mut order = order([(1, 10), (1, 11), (2, 20), (1, 12)]);
    assert_eq!([begun(&mut order), begun(&mut order), begun(&mut order)], [Some(10), Some(20), None]);
    order.release(1);
    assert_eq!([begun(&mut order), begun(&mut order)], [Some(11), None]);
    order.release(2);
    assert_eq!(begun(&mut order), None);
    order.release(1);
    assert_eq!(begun(&mut order), Some(12));
    order.release(1);
    assert!(order.waiting() == Backlog::default() && !order.has_next());
}

#[test]
fn messages_to_many_users_go_in_the_order_of_the_pushes() {
    let mut order = order((0..100).map(|tag| (tag as u64, tag)));
    assert_eq!((0..100).map(|_| begun(&mut order).unwrap()).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_message_that_is_taken_out_makes_way_for_the_next_to_its_user() {
    let mut order = order([(1, 10), (1, 11), (1, 12), (1, 13), (2, 20)]);
    assert_eq!([begun(&mut order), begun(&mut order)], [Some(10), Some(20)]);
    assert_eq!(remove(&mut order, 11), 1);
    order.release(1);
    // 12 is the first of its user now, and not begun.
    assert_eq!([remove(&mut order, 12), remove(&mut order, 12)], [1, 0]);
    assert_eq!([begun(&mut order), begun(&mut order)], [Some(13), None]);
    order.release(1);
    order.add(job(1, 14));
    assert_eq!(begun(&mut order), Some(14), "nothing to the user is left");
}

#[test]
fn messages_to_one_user_are_taken_out_in_the_order_of_the_pushes() {
    let mut order = order((0..4).map(|tag| (1, tag)));
    assert_eq!([begun(&mut order), begun(&mut order)], [Some(0), None]);
    order.release(1);
    order.add(job(1, 4));
    let tags: Vec<_> = order.remove(|_| true).into_iter().map(|job| job.tag).collect();
    assert!(matches!(tags[..], [Tag::Value(1), Tag::Value(2), Tag::Value(3), Tag::Value(4)]));
}

#[test]
fn all_messages_can_be_taken_out_at_once() {
    let mut order = order((0..100).map(|tag| (tag as u64 % 7, tag)));
    assert_eq!(begun(&mut order), Some(0));
    while begun(&mut order).is_some() {}
    assert_eq!(order.remove(|_| true).len(), 93);
    assert_eq!(order.waiting(), Backlog::default());
    order.add(job(0, 1));
    assert_eq!(begun(&mut order), None, "the one in flight is to this user");
    order.release(0);
    assert_eq!(begun(&mut order), Some(1));
}

#[test]
fn the_message_that_nobody_could_take_is_taken_out_again() {
    let mut order = order([(1, 10)]);
    order.remove_last_added();
    assert_eq!(order.waiting(), Backlog::default());
    order.add(job(1, 11));
    assert_eq!(begun(&mut order), Some(11));
}

#[test]
fn after_all_were_released_no_user_is_busy() {
    let mut order = order([(1, 10), (1, 11), (2, 20), (2, 21), (3, 30)]);
    while begun(&mut order).is_some() {}
    order.release(1);
    order.release_all();
    let mut rest: Vec<_> = std::iter::from_fn(|| begun(&mut order)).collect();
    rest.sort_unstable();
    assert_eq!(rest, [11, 21]);
    order.release_all();
    order.add(job(3, 31));
    assert_eq!(begun(&mut order), Some(31));
}

#[test]
fn what_waits_is_counted_in_messages_and_in_bytes_of_their_texts() {
    let mut order = order([(10, 1), (10, 2)]);
    assert_eq!(order.waiting(), Backlog { messages: 2, bytes: 8 });
    begun(&mut order);
    assert_eq!(order.waiting(), Backlog { messages: 1, bytes: 4 });
}

#[test]
fn the_first_deadline_is_that_of_any_message_that_waits() {
    let now = Instant::now();
    let later = |seconds| now + std::time::Duration::from_secs(seconds);
    let mut order = order([(1, 0)]);
    for (user, seconds) in [(1, 8), (1, 3), (2, 6)] {
        order.add(Job { deadline: Some(later(seconds)), ..job(user, 0) });
    }
    while begun(&mut order).is_some() {}
    assert_eq!(order.first_deadline(), Some(later(3)), "also behind another to its user");
    order.remove(|_| true);
    assert_eq!(order.first_deadline(), None);
}
