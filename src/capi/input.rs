//! Checks input from C and converts it to Rust: texts, options, messages, callbacks.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::result::c_string;
use super::structs::{read, size_of_version};
use super::types::{ue_interrupt_fn, ue_log_fn, ue_message, ue_options, ue_progress_fn};
use crate::send::batch::Messages;
use crate::{ApiVersion, DeliveryPolicy, Error, Level, Message, Options, Source};

/// The bytes of a text: `length` of them, or up to its NUL if `length` is 0. `None` for NULL.
///
/// # Safety
/// `text` is NULL, or has `length` bytes, or is NUL-terminated if `length` is 0; it outlives `'a`.
unsafe fn bytes<'a>(text: *const c_char, length: usize, field: &str) -> Result<Option<&'a [u8]>, Error> {
    if text.is_null() && length == 0 {
        return Ok(None);
    }
    if text.is_null() || isize::try_from(length).is_err() {
        return Err(Error::invalid(format!("{field} is NULL or shorter than its length says: set both, or neither")));
    }
    Ok(Some(match length {
        // SAFETY: the caller's promise.
        0 => unsafe { CStr::from_ptr(text) }.to_bytes(),
        // SAFETY: the caller's promise.
        length => unsafe { slice::from_raw_parts(text.cast(), length) },
    }))
}

/// Like [`bytes`], but an error if they are not UTF-8.
///
/// # Safety
/// As for [`bytes`].
unsafe fn optional<'a>(text: *const c_char, length: usize, field: &str) -> Result<Option<&'a str>, Error> {
    // SAFETY: the caller's promise.
    let Some(bytes) = (unsafe { bytes(text, length, field) })? else {
        return Ok(None);
    };
    std::str::from_utf8(bytes).map(Some).map_err(|error| {
        Error::invalid(format!("{field} is not UTF-8 from byte {} on: convert it to UTF-8", error.valid_up_to()))
    })
}

/// Like [`optional`], but an error for NULL.
///
/// # Safety
/// As for [`bytes`].
unsafe fn required<'a>(text: *const c_char, length: usize, field: &str) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    unsafe { optional(text, length, field) }?.ok_or_else(|| Error::invalid(format!("{field} is NULL: set it")))
}

/// Reads one message. It borrows its texts.
///
/// # Safety
/// `message` is NULL or as the header says, and outlives `'a`.
pub(super) unsafe fn message<'a>(message: *const ue_message) -> Result<Message<'a>, Error> {
    if message.is_null() {
        return Err(Error::invalid("message is NULL: pass a ue_message"));
    }
    // SAFETY: the caller's promise.
    let given = unsafe { read(message) }?;
    // SAFETY: the caller's promise, for each of the three.
    let (id, content, context) = unsafe {
        (
            required(given.client_user_id, given.client_user_id_length, "client_user_id")?,
            required(given.content, given.content_length, "content")?,
            optional(given.source_context, given.source_context_length, "source_context")?,
        )
    };
    let mut message = Message::new(id, content);
    if given.user != 0 {
        message = message.user(given.user);
    }
    if given.source != 0 {
        message = message.source(Source(given.source));
    }
    if let Some(context) = context {
        message = message.source_context(context);
    }
    Ok(message)
}

/// Refuses a count that no array can have. Call it before writing to any array of the caller.
///
/// # Safety
/// `first` is NULL or, if an array can have `count` messages, points to a message that is as the header says.
pub(super) unsafe fn check_count(first: *const ue_message, count: usize) -> Result<(), Error> {
    const SMALLEST: usize = 2 * size_of::<usize>(); // every version has at least one field after struct_size
    let fits = |size: usize| count.checked_mul(size).is_some_and(|bytes| isize::try_from(bytes).is_ok());
    let mut possible = fits(SMALLEST);
    if possible && count > 0 && !first.is_null() {
        // SAFETY: the caller's promise. A size that no version has is refused later, in each result.
        possible = unsafe { size_of_version(first) }.map_or(true, fits);
    }
    if possible {
        return Ok(());
    }
    Err(Error::invalid(format!("count is {count}, more than any array can have: pass how many messages there are")))
}

/// The messages of a batch, read from the caller's array one by one.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    first: *const ue_message,
    count: usize,
    /// The size of the caller's version of the struct.
    stride: usize,
}

// SAFETY: the array is only read, and the caller does not change it until the call has ended.
unsafe impl Sync for Batch {}

/// Checks the array of a batch. The messages are read later, one by one.
///
/// # Safety
/// `first` is NULL, or the first of `count` messages that are as the header says, all of one size, and stay so while
/// the batch is used.
pub(super) unsafe fn batch(first: *const ue_message, count: usize) -> Result<Batch, Error> {
    if first.is_null() && count > 0 {
        return Err(Error::invalid("messages is NULL: pass an array of ue_message"));
    }
    // SAFETY: the caller's promise.
    let stride = if count == 0 { 0 } else { unsafe { size_of_version(first) }? };
    Ok(Batch { first, count, stride })
}

impl Batch {
    /// The address of a message. An error if its size differs from that of the first one.
    fn at(&self, index: usize) -> Result<*const ue_message, Error> {
        // SAFETY: what `batch` was promised; the index is below the count.
        let one = unsafe { self.first.byte_add(index * self.stride) };
        // SAFETY: as above.
        let size = unsafe { one.cast::<usize>().read() };
        if size != self.stride {
            return Err(Error::invalid(format!(
                "struct_size is {size} in a batch whose first message has {}: set sizeof(ue_message) in all",
                self.stride
            )));
        }
        Ok(one)
    }
}

impl Messages for Batch {
    fn count(&self) -> usize {
        self.count
    }

    fn recipient(&self, index: usize) -> Option<&[u8]> {
        // SAFETY: what `batch` was promised.
        let given = unsafe { read(self.at(index).ok()?) }.ok()?;
        // SAFETY: as above.
        unsafe { bytes(given.client_user_id, given.client_user_id_length, "client_user_id") }.ok()?
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        // SAFETY: what `batch` was promised.
        unsafe { message(self.at(index)?) }.map(Cow::Owned)
    }
}

/// Reads the API key.
///
/// # Safety
/// As for [`bytes`].
pub(super) unsafe fn api_key<'a>(api_key: *const c_char) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    unsafe { required(api_key, 0, "api_key") }
}

/// Reads the options. NULL, and every field that is zero, means the default.
///
/// # Safety
/// `options` is NULL or as the header says; its callbacks stay callable as long as the client lives.
pub(super) unsafe fn options(options: *const ue_options) -> Result<Options, Error> {
    let mut made = Options::default();
    if options.is_null() {
        return Ok(made);
    }
    // SAFETY: the caller's promise.
    let given = unsafe { read(options) }?;
    // SAFETY: the caller's promise, for every text.
    let text = |text, field| unsafe { optional(text, 0, field) }.map(|text| text.map(str::to_owned));
    if let Some(base_url) = text(given.base_url, "base_url")? {
        made.base_url = base_url;
    }
    made.api_version = match given.api_version {
        0 => ApiVersion::Specification,
        2 => ApiVersion::V2,
        other => return Err(Error::invalid(format!("api_version is {other}: give 0 or 2"))),
    };
    made.delivery_policy = match given.delivery_policy {
        0 => DeliveryPolicy::AtMostOnce,
        1 => DeliveryPolicy::AtLeastOnce,
        other => {
            return Err(Error::invalid(format!(
                "delivery_policy is {other}: give 0 (at most once) or 1 (at least once)"
            )));
        }
    };
    let set = |to: &mut u32, value: u32| *to = if value == 0 { *to } else { value };
    set(&mut made.max_attempts, given.max_attempts);
    set(&mut made.max_connections, given.max_connections);
    let set = |to: &mut Duration, ms: u32| *to = if ms == 0 { *to } else { Duration::from_millis(ms.into()) };
    set(&mut made.connect_timeout, given.connect_timeout_ms);
    set(&mut made.timeout, given.timeout_ms);
    made.max_per_second = (given.max_per_second != 0).then_some(given.max_per_second);
    made.proxy = text(given.proxy, "proxy")?;
    made.ca_file = text(given.ca_file, "ca_file")?.map(PathBuf::from);
    made.user_agent = text(given.user_agent, "user_agent")?;
    made.log = log(given.log, given.log_user_data, given.log_level)?;
    made.interrupt = interrupt(given.interrupt, given.interrupt_user_data);
    Ok(made)
}

/// The pointer of the host program that its callbacks receive. It is never dereferenced here.
#[derive(Clone, Copy)]
struct UserData(*mut c_void);

// SAFETY: it is never dereferenced here. The header says on which thread the callbacks receive it.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    fn get(self) -> *mut c_void {
        self.0
    }
}

fn log(call: ue_log_fn, user_data: *mut c_void, level: i32) -> Result<Option<(Level, crate::Log)>, Error> {
    let level = match level {
        0 => return Ok(None),
        1 => Level::Error,
        2 => Level::Warn,
        3 => Level::Info,
        4 => Level::Debug,
        5 => Level::Trace,
        other => return Err(Error::invalid(format!("log_level is {other}: give 0 (off) to 5 (trace)"))),
    };
    let Some(call) = call else {
        return Err(Error::invalid("log is NULL though log_level is set: set log, or log_level to 0"));
    };
    let user_data = UserData(user_data);
    Ok(Some((
        level,
        Arc::new(move |level, text: &str| {
            let text = c_string(text);
            // SAFETY: the caller of `ue_client_new` promised that it can be called.
            unsafe { call(user_data.get(), level as i32, text.as_ptr()) };
        }),
    )))
}

fn interrupt(call: ue_interrupt_fn, user_data: *mut c_void) -> Option<crate::Interrupt> {
    let user_data = UserData(user_data);
    call.map(|call| -> crate::Interrupt {
        // SAFETY: the caller of `ue_client_new` promised that it can be called.
        Arc::new(move || unsafe { call(user_data.get()) } != 0)
    })
}

/// Wraps the progress callback of a batch. The closure returns `true` if the callback stops the batch.
pub(super) fn progress(call: ue_progress_fn, user_data: *mut c_void, count: usize) -> impl FnMut() -> bool {
    let mut done = 0;
    move || {
        done += 1;
        // SAFETY: the caller of `ue_send_conversations` promised that it can be called.
        call.is_some_and(|call| unsafe { call(user_data, done, count) } != 0)
    }
}
