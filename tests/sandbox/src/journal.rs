//! The received requests and the stored messages: the truth that tests compare with.

use crate::conversation::{Conversation, Message};
use crate::exchange::Exchange;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::watch;

/// Every request and every conversation, in memory, up to a limit. The oldest are dropped first.
pub struct Journal {
    state: Mutex<State>,
    /// Counts the changes, for watchers.
    changes: watch::Sender<u64>,
}

struct State {
    requests: Shelf<Exchange>,
    conversations: Shelf<Conversation>,
    statuses: BTreeMap<u16, u64>,
    unanswered: u64,
    received: u64,
    stored: u64,
    /// How often an entry changed after it was made.
    amendments: u64,
    /// Conversations whose request changed after it was entered. Used by the file, if any.
    amended: Option<Vec<u64>>,
}

/// Which part of a list is kept. The ids have no gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The id of the oldest. In an empty list it is above that of the newest.
    pub oldest: u64,
    /// The id of the newest, kept or not.
    pub newest: u64,
    /// How many there are.
    pub kept: u64,
}

/// Counts since the sandbox started; clearing the lists does not touch them.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// Requests to the API.
    pub requests: u64,
    /// Messages stored.
    pub stored: u64,
    /// Requests that were answered, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that were never answered.
    pub unanswered: u64,
    /// Requests that the journal still has.
    pub requests_kept: usize,
    /// Conversations that the inbox still has.
    pub conversations_kept: usize,
}

impl Journal {
    pub(crate) fn new(keep: usize, keep_bytes: usize) -> Journal {
        Journal {
            state: Mutex::new(State {
                requests: Shelf::new(keep, keep_bytes),
                conversations: Shelf::new(keep, keep_bytes),
                statuses: BTreeMap::new(),
                unanswered: 0,
                received: 0,
                stored: 0,
                amendments: 0,
                amended: None,
            }),
            changes: watch::Sender::new(0),
        }
    }

    /// Enters a request, and stores its message, if any. Returns their ids.
    pub(crate) fn record(&self, mut exchange: Exchange, message: Option<Message>) -> (u64, Option<u64>) {
        let mut state = crate::lock(&self.state);
        exchange.id = state.requests.next;
        exchange.conversation_id = message.is_some().then_some(state.conversations.next);
        exchange.stored = message.is_some();
        state.count(exchange.status, 1);
        state.received += 1;
        let exchange = Arc::new(exchange);
        let (id, conversation) = (exchange.id, exchange.conversation_id);
        state.requests.push(exchange.weight(), exchange.clone());
        if let Some(message) = message {
            state.store(exchange, message);
        }
        drop(state);
        self.changed();
        (id, conversation)
    }

    /// Changes the status of an earlier request, and stores its message if one is given.
    pub(crate) fn amend(&self, id: u64, status: Option<u16>, message: Option<Message>) -> Option<u64> {
        let mut state = crate::lock(&self.state);
        let mut exchange = state.requests.get(id).map(|entry| Exchange::clone(entry))?;
        state.amendments += 1;
        if exchange.status != status {
            state.uncount(exchange.status);
            state.count(status, 1);
            exchange.status = status;
        }
        let stores = message.is_some();
        if stores {
            exchange.conversation_id = Some(state.conversations.next);
            exchange.stored = true;
        }
        let exchange = Arc::new(exchange);
        let conversation = exchange.conversation_id;
        state.requests.replace(id, exchange.clone());
        match (message, conversation) {
            (Some(message), _) => state.store(exchange, message),
            (None, Some(known)) => {
                if let Some(mut changed) = state.conversations.get(known).map(|known| Conversation::clone(known)) {
                    changed.exchange = exchange;
                    state.conversations.replace(known, Arc::new(changed));
                    if let Some(amended) = &mut state.amended {
                        amended.push(known);
                    }
                }
            }
            (None, None) => {}
        }
        drop(state);
        self.changed();
        conversation
    }

    /// Wakes the watchers.
    pub(crate) fn changed(&self) {
        if self.changes.receiver_count() > 0 {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Requests after an id, oldest first.
    pub fn requests(&self, after: u64) -> Vec<Arc<Exchange>> {
        crate::lock(&self.state).requests.after(after).cloned().collect()
    }

    /// One request.
    pub fn request(&self, id: u64) -> Option<Arc<Exchange>> {
        crate::lock(&self.state).requests.get(id).cloned()
    }

    /// Conversations after an id, oldest first.
    pub fn conversations(&self, after: u64) -> Vec<Arc<Conversation>> {
        crate::lock(&self.state).conversations.after(after).cloned().collect()
    }

    /// One conversation.
    pub fn conversation(&self, id: u64) -> Option<Arc<Conversation>> {
        crate::lock(&self.state).conversations.get(id).cloned()
    }

    /// Forgets the requests. Ids go on counting.
    pub fn clear_requests(&self) {
        crate::lock(&self.state).requests.clear();
        self.changed();
    }

    /// Forgets the conversations. Ids go on counting.
    pub fn clear_conversations(&self) {
        crate::lock(&self.state).conversations.clear();
        self.changed();
    }

    /// How often an entry changed after it was made.
    pub(crate) fn amendments(&self) -> u64 {
        crate::lock(&self.state).amendments
    }

    /// The conversations whose request changed since the last call. The file uses it to follow.
    pub(crate) fn take_amended(&self) -> Vec<u64> {
        crate::lock(&self.state).amended.replace(Vec::new()).unwrap_or_default()
    }

    /// Adds conversations from the file, oldest first. New ids follow theirs.
    pub(crate) fn restore(&self, conversations: Vec<Conversation>) {
        let mut state = crate::lock(&self.state);
        state.amended = Some(Vec::new());
        for conversation in conversations {
            state.requests.next = state.requests.next.max(conversation.request + 1);
            state.conversations.restore(conversation.weight(), conversation.id, Arc::new(conversation));
        }
    }

    /// The conversations that are kept.
    pub fn span(&self) -> Span {
        crate::lock(&self.state).conversations.span()
    }

    /// The requests that are kept.
    pub fn request_span(&self) -> Span {
        crate::lock(&self.state).requests.span()
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        let state = crate::lock(&self.state);
        Stats {
            requests: state.received,
            stored: state.stored,
            statuses: state.statuses.clone(),
            unanswered: state.unanswered,
            requests_kept: state.requests.items.len(),
            conversations_kept: state.conversations.items.len(),
        }
    }

    /// A receiver that is notified of each change.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl State {
    fn store(&mut self, exchange: Arc<Exchange>, message: Message) {
        self.stored += 1;
        let (id, request) = (self.conversations.next, exchange.id);
        let conversation = Conversation { id, at: SystemTime::now(), request, message, exchange };
        self.conversations.push(conversation.weight(), Arc::new(conversation));
    }

    fn count(&mut self, status: Option<u16>, by: u64) {
        match status {
            Some(status) => *self.statuses.entry(status).or_default() += by,
            None => self.unanswered += by,
        }
    }

    fn uncount(&mut self, status: Option<u16>) {
        match status {
            Some(status) => {
                if let Some(count) = self.statuses.get_mut(&status) {
                    *count = count.saturating_sub(1);
                }
            }
            None => self.unanswered = self.unanswered.saturating_sub(1),
        }
    }
}

/// A queue of items with consecutive ids, limited in number and bytes.
struct Shelf<T> {
    items: VecDeque<(usize, Arc<T>)>,
    /// The id of the next item.
    next: u64,
    bytes: usize,
    keep: usize,
    keep_bytes: usize,
}

impl<T> Shelf<T> {
    fn new(keep: usize, keep_bytes: usize) -> Shelf<T> {
        Shelf { items: VecDeque::new(), next: 1, bytes: 0, keep, keep_bytes }
    }

    fn push(&mut self, weight: usize, item: Arc<T>) {
        self.next += 1;
        self.bytes += weight;
        self.items.push_back((weight, item));
        while self.items.len() > self.keep || (self.bytes > self.keep_bytes && self.items.len() > 1) {
            if let Some((weight, _)) = self.items.pop_front() {
                self.bytes -= weight;
            }
        }
    }

    /// Adds an item that has an id already. A gap before it empties the queue.
    fn restore(&mut self, weight: usize, id: u64, item: Arc<T>) {
        if id != self.next {
            self.clear();
            self.next = id;
        }
        self.push(weight, item);
    }

    fn place(&self, id: u64) -> Option<usize> {
        let first = self.next - self.items.len() as u64;
        id.checked_sub(first).map(|place| place as usize).filter(|place| *place < self.items.len())
    }

    fn get(&self, id: u64) -> Option<&Arc<T>> {
        self.place(id).map(|place| &self.items[place].1)
    }

    fn replace(&mut self, id: u64, item: Arc<T>) {
        if let Some(place) = self.place(id) {
            self.items[place].1 = item;
        }
    }

    fn after(&self, id: u64) -> impl Iterator<Item = &Arc<T>> {
        let first = self.next - self.items.len() as u64;
        let skip = (id + 1).saturating_sub(first).min(self.items.len() as u64) as usize;
        self.items.range(skip..).map(|(_, item)| item)
    }

    fn span(&self) -> Span {
        let kept = self.items.len() as u64;
        Span { oldest: self.next - kept, newest: self.next - 1, kept }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(shelf: &Shelf<u64>, after: u64) -> Vec<u64> {
        shelf.after(after).map(|item| **item).collect()
    }

    fn push(shelf: &mut Shelf<u64>, weight: usize) {
        shelf.push(weight, Arc::new(shelf.next));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_too_heavy_ones() {
        let mut shelf = Shelf::new(3, 100);
        for _ in 0..5 {
            push(&mut shelf, 10);
        }
        assert_eq!(ids(&shelf, 0), [3, 4, 5]);
        push(&mut shelf, 95);
        assert_eq!(ids(&shelf, 0), [6]);
        assert_eq!(shelf.bytes, 95);
    }

    #[test]
    fn one_thing_stays_however_heavy_it_is() {
        let mut shelf = Shelf::new(3, 100);
        push(&mut shelf, 1000);
        assert_eq!(ids(&shelf, 0), [1]);
    }

    #[test]
    fn paging_and_look_up_go_by_id_also_after_clearing() {
        let mut shelf = Shelf::new(10, 1000);
        for _ in 0..4 {
            push(&mut shelf, 1);
        }
        assert_eq!(ids(&shelf, 2), [3, 4]);
        assert_eq!(ids(&shelf, 9), [0u64; 0]);
        shelf.clear();
        assert_eq!(shelf.get(2), None);
        push(&mut shelf, 1);
        assert_eq!(shelf.get(5).map(|item| **item), Some(5));
        assert_eq!(ids(&shelf, 0), [5]);
    }
}
