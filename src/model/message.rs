//! [`Message`]: the attributes of the specification, their validation, and the JSON body. No I/O.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::value::RawValue;

use crate::model::cancel::Cancel;
use crate::model::options::check_time_limit;
use crate::model::outcome::Error;

/// The longest `client_user_id` in bytes. A limit of this library: it keeps the request line within the 8 KiB that
/// servers accept.
const LONGEST_ID: usize = 1024;

/// The id of the user who gets a message: an integer or a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientUserId<'a>(Cow<'a, str>);

impl<'a> From<&'a str> for ClientUserId<'a> {
    fn from(id: &'a str) -> Self {
        ClientUserId(Cow::Borrowed(id))
    }
}

impl From<String> for ClientUserId<'_> {
    fn from(id: String) -> Self {
        ClientUserId(Cow::Owned(id))
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for ClientUserId<'_> {
            fn from(id: $integer) -> Self {
                ClientUserId(Cow::Owned(id.to_string()))
            }
        }
    )*};
}
from_integers!(i32, i64, u32, u64);

/// The channel that the service shows for a message. Any positive number is passed on; the known ones have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(pub i32);

impl Source {
    /// 1
    pub const CHAT: Source = Source(1);
    /// 2
    pub const EMAIL: Source = Source(2);
    /// 3
    pub const API: Source = Source(3);
    /// 4
    pub const SMS: Source = Source(4);
    /// 5
    pub const SLACK: Source = Source(5);
}

/// One conversation message, with the attributes and names of the specification.
///
/// It is validated when it is sent. Its `Debug` form omits the content.
#[derive(Clone, PartialEq, Eq)]
pub struct Message<'a> {
    client_user_id: ClientUserId<'a>,
    content: Cow<'a, str>,
    user: Option<i64>,
    source: Option<Source>,
    source_context: Option<Cow<'a, str>>,
    timeout: Option<Duration>,
    cancel: Option<Cancel>,
}

impl<'a> Message<'a> {
    /// Creates a message with `content` (text or HTML) to the user `client_user_id`.
    pub fn new(client_user_id: impl Into<ClientUserId<'a>>, content: impl Into<Cow<'a, str>>) -> Self {
        Message {
            client_user_id: client_user_id.into(),
            content: content.into(),
            user: None,
            source: None,
            source_context: None,
            timeout: None,
            cancel: None,
        }
    }

    /// Sets the agent who writes, by a positive id. Defaults to none.
    pub fn user(mut self, user: i64) -> Self {
        self.user = Some(user);
        self
    }

    /// Sets the channel. Defaults to none.
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets additional fields: the text of a JSON object or array, passed on as written. Defaults to none.
    pub fn source_context(mut self, json: impl Into<Cow<'a, str>>) -> Self {
        self.source_context = Some(json.into());
        self
    }

    /// Sets the time limit of this message, including every attempt and backoff. Defaults to
    /// [`Options::timeout`](crate::Options::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets `cancel` end the call that sends this message. Defaults to none.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = Some(cancel.clone());
        self
    }

    /// Copies the texts.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(crate) fn to_owned(&self) -> Result<Message<'static>, Error> {
        let copy = |text: &str| {
            let mut copy = String::new();
            copy.try_reserve_exact(text.len()).map_err(|_| self.too_large(self.context()))?;
            copy.push_str(text);
            Ok::<_, Error>(copy)
        };
        Ok(Message {
            client_user_id: copy(self.recipient())?.into(),
            content: copy(self.content())?.into(),
            user: self.user,
            source: self.source,
            source_context: self.context().map(copy).transpose()?.map(Cow::Owned),
            timeout: self.timeout,
            cancel: self.cancel.clone(),
        })
    }

    /// The length of the texts in bytes.
    pub(crate) fn size(&self) -> usize {
        self.recipient().len() + self.content().len() + self.context().map_or(0, str::len)
    }

    /// The time limit, validated; that of the client if the message has none.
    pub(crate) fn checked_timeout(&self, default: Duration) -> Result<Duration, Error> {
        self.timeout.map_or(Ok(default), |timeout| check_time_limit("timeout", timeout).map(|()| timeout))
    }

    pub(crate) fn cancel_signal(&self) -> Option<&Cancel> {
        self.cancel.as_ref()
    }

    /// The id of the user who gets the message, not validated.
    pub(crate) fn recipient(&self) -> &str {
        &self.client_user_id.0
    }

    pub(crate) fn content(&self) -> &str {
        &self.content
    }

    /// The additional fields as given, not validated.
    pub(crate) fn context(&self) -> Option<&str> {
        self.source_context.as_deref()
    }

    /// The id, validated: it must fit into one segment of a URL path.
    pub(crate) fn checked_id(&self) -> Result<&str, Error> {
        let id = &*self.client_user_id.0;
        if id.is_empty() {
            return Err(Error::invalid("client_user_id is empty: give the id of the user who gets the message"));
        }
        if id == "." || id == ".." {
            return Err(Error::invalid(format!(
                "client_user_id is \"{id}\", which means another place in a path: give the id of the user who gets the message"
            )));
        }
        if let Some(at) = id.find(char::is_control) {
            return Err(Error::invalid(format!(
                "client_user_id has a control character at byte {at}: remove it (line ends are a common cause)"
            )));
        }
        if id.len() > LONGEST_ID {
            return Err(Error::invalid(format!(
                "client_user_id has {} bytes, the most is {LONGEST_ID}: give the id of one user",
                id.len()
            )));
        }
        Ok(id)
    }

    /// The JSON body: only the attributes that were given, in the specification's order.
    pub(crate) fn body(&self) -> Result<Vec<u8>, Error> {
        let context = self.check_body()?;
        let mut body = Growing(Vec::new());
        self.write(&mut body, context).map_err(|_| self.too_large(context))?;
        Ok(body.0)
    }

    /// Validates all attributes. The message may still be too large for the memory that is left.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.checked_id()?;
        self.check_body().map(|_| ())
    }

    /// Validates the attributes of the body. Returns `source_context` without the white space around it.
    fn check_body(&self) -> Result<Option<&str>, Error> {
        if self.content.is_empty() {
            return Err(Error::invalid("content is empty: give the text or HTML to show"));
        }
        if let Some(at) = self.content.find('\0') {
            return Err(Error::invalid(format!(
                "content has a NUL at byte {at}, which the service refuses: remove it"
            )));
        }
        if let Some(user) = self.user.filter(|user| *user <= 0) {
            return Err(Error::invalid(format!(
                "user is {user}: give the positive id of the agent who writes, or leave it out"
            )));
        }
        if let Some(Source(source)) = self.source.filter(|source| source.0 <= 0) {
            return Err(Error::invalid(format!(
                "source is {source}: give 1 chat, 2 email, 3 API, 4 SMS or 5 Slack, or leave it out"
            )));
        }
        self.source_context.as_deref().map(checked_context).transpose()
    }

    fn write(&self, body: &mut Growing, context: Option<&str>) -> io::Result<()> {
        body.reserve(self.content.len() + context.map_or(0, str::len) + 96)?;
        body.write_all(b"{\"content\":")?;
        serde_json::to_writer(&mut *body, &*self.content)?;
        if let Some(user) = self.user {
            write!(body, ",\"user\":{user}")?;
        }
        if let Some(Source(source)) = self.source {
            write!(body, ",\"source\":{source}")?;
        }
        if let Some(context) = context {
            body.write_all(b",\"source_context\":")?;
            body.write_all(context.as_bytes())?;
        }
        body.write_all(b"}")
    }

    fn too_large(&self, context: Option<&str>) -> Error {
        let content = self.content.len();
        let context = context.map_or_else(String::new, |json| format!(", source_context has {}", json.len()));
        Error::invalid(format!(
            "content has {content} bytes{context}: there is not enough memory to write that as JSON. Send less in one \
             message, or give the process more memory"
        ))
    }
}

/// A `Vec` that reports a lack of memory as an error. A plain `Vec` would abort the process.
struct Growing(Vec<u8>);

impl Growing {
    fn reserve(&mut self, more: usize) -> io::Result<()> {
        self.0.try_reserve(more).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.0.capacity() - self.0.len() < bytes.len() {
            self.reserve(bytes.len())?;
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Trims the white space around `json`. An error if it is not a JSON object or array.
fn checked_context(json: &str) -> Result<&str, Error> {
    let value: &RawValue = serde_json::from_str(json).map_err(|error| {
        // The parser's text gives only the kind and the position of the error. It must never quote the input.
        Error::invalid(format!("source_context is not JSON ({error}): give the text of a JSON object or array"))
    })?;
    match value.get().as_bytes().first() {
        Some(b'{' | b'[') => Ok(value.get()),
        _ => Err(Error::invalid(
            "source_context is JSON, but neither an object nor an array: wrap the value, as in {\"value\": 1}",
        )),
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("client_user_id", &self.client_user_id.0)
            .field("user", &self.user)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
