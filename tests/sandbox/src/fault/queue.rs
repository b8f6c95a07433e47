//! The queue of orders.

use super::order::{Frequency, Order};
use super::{Fault, Refusal};
use serde_json::Value;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The ordered faults, played in order.
#[derive(Default)]
pub(crate) struct Faults {
    /// The length of the queue. At 0, a request need not take the lock.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    orders: Vec<Order>,
    given: u64,
}

impl Faults {
    /// Queues a fault and returns the order with its id.
    pub fn order(&self, json: &Value) -> Result<Value, Refusal> {
        let mut order = Order::parse(json)?;
        let mut queue = crate::lock(&self.queue);
        queue.given += 1;
        order.id = queue.given;
        let shown = shown(&order);
        queue.orders.push(order);
        self.count(&queue);
        Ok(shown)
    }

    /// The orders in the queue.
    pub fn list(&self) -> Vec<Value> {
        crate::lock(&self.queue).orders.iter().map(shown).collect()
    }

    /// Deletes orders: all, or those that `which` names. Returns their number.
    pub fn clear(&self, which: impl Fn(&Order) -> bool) -> usize {
        let mut queue = crate::lock(&self.queue);
        let before = queue.orders.len();
        queue.orders.retain(|order| !which(order));
        self.count(&queue);
        before - queue.orders.len()
    }

    /// The fault for a request on `port`, if any.
    pub fn for_request(&self, port: u16, client_user_id: Option<&str>) -> Option<(&'static str, Fault)> {
        self.take(|order| {
            !order.fault.is_at_accept()
                && order.port.is_none_or(|wanted| wanted == port)
                && order.client_user_id.as_deref().is_none_or(|wanted| Some(wanted) == client_user_id)
        })
    }

    /// The fault for a connection to `port`, if any.
    pub fn for_connection(&self, port: u16, tls: bool) -> Option<(&'static str, Fault)> {
        self.take(|order| {
            order.fault.is_at_accept()
                && (tls || !order.fault.is_of_the_handshake())
                && order.port.is_none_or(|wanted| wanted == port)
        })
    }

    fn take(&self, fits: impl Fn(&Order) -> bool) -> Option<(&'static str, Fault)> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut queue = crate::lock(&self.queue);
        let place = queue.orders.iter_mut().position(|order| fits(order) && order.frequency.strikes())?;
        let order = &mut queue.orders[place];
        order.played += 1;
        let taken = (order.name, order.fault.clone());
        if matches!(order.frequency, Frequency::Times(0)) {
            queue.orders.remove(place);
            self.count(&queue);
        }
        Some(taken)
    }

    fn count(&self, queue: &Queue) {
        self.waiting.store(queue.orders.len(), Ordering::Release);
    }
}

impl Frequency {
    fn strikes(&mut self) -> bool {
        match self {
            Frequency::Times(times) => {
                *times = times.saturating_sub(1);
                true
            }
            Frequency::Share(share, dice) => dice.f64() < *share,
        }
    }
}

fn shown(order: &Order) -> Value {
    serde_json::to_value(order).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn orders_are_played_in_their_order_and_as_often_as_told() {
        let faults = Faults::default();
        faults.order(&json!({"fault": "hang", "times": 2})).unwrap();
        faults.order(&json!({"fault": "drip"})).unwrap();
        let played: Vec<_> = std::iter::from_fn(|| faults.for_request(80, Some("1"))).map(|(name, _)| name).collect();
        assert_eq!(played, ["hang", "hang", "drip"]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn an_order_for_one_customer_leaves_the_others_alone() {
        let faults = Faults::default();
        faults.order(&json!({"fault": "hang", "client_user_id": 42})).unwrap();
        assert!(faults.for_request(80, Some("43")).is_none());
        assert!(faults.for_request(80, None).is_none());
        assert!(faults.for_request(80, Some("42")).is_some());
    }

    #[test]
    fn a_share_with_a_seed_strikes_the_same_requests_again() {
        let struck = || {
            let faults = Faults::default();
            faults.order(&json!({"fault": "hang", "share": 0.3, "seed": 7})).unwrap();
            (0..1000).map(|_| faults.for_request(80, None).is_some()).collect::<Vec<_>>()
        };
        let first = struck();
        assert_eq!(first, struck());
        let hits = first.iter().filter(|hit| **hit).count();
        assert!((230..370).contains(&hits), "{hits} of 1000");
    }

    #[test]
    fn faults_at_accept_wait_for_connections_and_those_of_the_handshake_for_tls() {
        let faults = Faults::default();
        faults.order(&json!({"fault": "handshake-hang"})).unwrap();
        faults.order(&json!({"fault": "close", "where": "accept", "port": 81})).unwrap();
        assert!(faults.for_request(80, None).is_none());
        assert!(faults.for_connection(80, false).is_none());
        assert_eq!(faults.for_connection(81, false).map(|(name, _)| name), Some("close"));
        assert_eq!(faults.for_connection(443, true).map(|(name, _)| name), Some("handshake-hang"));
    }
}
