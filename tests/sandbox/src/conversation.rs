//! A message that was accepted, and the conversation that it became.

use crate::exchange::Exchange;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::SystemTime;

/// A message that passed every check, before it is stored.
#[derive(Clone, Debug)]
pub struct Message {
    /// The customer, decoded from the path.
    pub client_user_id: Box<str>,
    /// The content that the customer sees. May be HTML.
    pub content: Box<str>,
    /// The agent who writes.
    pub user: Option<i64>,
    /// 1 chat, 2 email, 3 API, 4 SMS, 5 Slack.
    pub source: Option<u8>,
    /// A JSON object or array, as it was written.
    pub source_context: Option<Box<RawValue>>,
}

/// A stored message, as the customer sees it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The number of the conversation, from 1 on.
    pub id: u64,
    /// When it was stored.
    pub at: SystemTime,
    /// The id of its request in the journal.
    pub request: u64,
    /// The message.
    pub message: Message,
    /// The request itself. It stays readable here after the journal was cleared.
    pub(crate) exchange: Arc<Exchange>,
}

impl Conversation {
    /// Its size in memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let message = &self.message;
        let context = message.source_context.as_ref().map_or(0, |json| json.get().len());
        let texts = message.client_user_id.len() + message.content.len() + context;
        texts + size_of::<Conversation>() + self.exchange.weight()
    }
}

impl Serialize for Conversation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("client_user_id", &self.message.client_user_id)?;
        map.serialize_entry("content", &self.message.content)?;
        map.serialize_entry("user", &self.message.user)?;
        map.serialize_entry("source", &self.message.source)?;
        map.serialize_entry("source_context", &self.message.source_context)?;
        map.serialize_entry("at", &crate::timestamp(self.at))?;
        map.serialize_entry("request", &self.request)?;
        map.end()
    }
}
