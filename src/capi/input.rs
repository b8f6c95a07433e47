//! Checks input from C and converts it to Rust: texts, options, messages, callbacks.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::mem::offset_of;
use std::path::PathBuf;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::cancel;
use super::constants::{ue_api_version, ue_batch_flow, ue_delivery_policy, ue_timeout_from};
use super::result::{c_string, ue_result};
use super::structs::{read, size_of_version};
use super::types::{
    NUL_TERMINATED, ue_batch_options, ue_interrupt_fn, ue_log_fn, ue_message, ue_on_result_fn, ue_options,
    ue_queue_options,
};
use crate::send::batch::Messages;
use crate::{
    ApiVersion, BatchFlow, BatchOptions, DeliveryPolicy, Error, Level, Message, Options, QueueOptions, Source,
    TimeoutFrom,
};

/// The bytes of a text: `length` of them, or up to its NUL. `None` for NULL.
///
/// # Safety
/// `text` is NULL, or has `length` bytes, or is NUL-terminated if `length` is `NUL_TERMINATED`; it outlives `'a`.
unsafe fn bytes<'a>(text: *const c_char, length: usize, field: &str) -> Result<Option<&'a [u8]>, Error> {
    match (text.is_null(), length) {
        (true, NUL_TERMINATED | 0) => Ok(None),
        // SAFETY: the caller's promise.
        (false, NUL_TERMINATED) => Ok(Some(unsafe { CStr::from_ptr(text) }.to_bytes())),
        (false, length) if isize::try_from(length).is_ok() => {
            // SAFETY: the caller's promise.
            Ok(Some(unsafe { slice::from_raw_parts(text.cast(), length) }))
        }
        (true, length) => Err(Error::invalid(format!(
            "{field} is NULL, but {field}_length is {length}: set both, or leave the length UE_NUL_TERMINATED"
        ))),
        (false, length) => Err(Error::invalid(format!(
            "{field}_length is {length}, more than any text can have: set the length in bytes, or UE_NUL_TERMINATED"
        ))),
    }
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
    if given.timeout_ms != 0 {
        message = message.timeout(Duration::from_millis(given.timeout_ms.into()));
    }
    // SAFETY: the caller's promise.
    if let Some(cancel) = unsafe { cancel::shared(given.cancel) } {
        message = message.cancel(cancel);
    }
    Ok(message)
}

/// The user_data of a message; NULL if the message cannot be read.
///
/// # Safety
/// As for [`message`].
pub(super) unsafe fn user_data(message: *const ue_message) -> *mut c_void {
    const AT: usize = offset_of!(ue_message, user_data);
    if message.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the caller's promise.
    match unsafe { size_of_version(message) } {
        // SAFETY: the caller's promise covers the size.
        Ok(size) if size >= AT + size_of::<*mut c_void>() => unsafe { (&raw const (*message).user_data).read() },
        _ => ptr::null_mut(), // older programs know no user_data
    }
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

/// The user_data of a message of a batch; NULL if it cannot be read.
///
/// # Safety
/// As for [`batch`].
pub(super) unsafe fn user_data_at(first: *const ue_message, index: usize) -> *mut c_void {
    // SAFETY: the caller's promise.
    let message = unsafe { batch(first, index + 1) }.and_then(|batch| batch.at(index));
    // SAFETY: as above.
    message.map_or(ptr::null_mut(), |message| unsafe { user_data(message) })
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
    unsafe { required(api_key, NUL_TERMINATED, "api_key") }
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
    let text = |text, field| unsafe { optional(text, NUL_TERMINATED, field) }.map(|text| text.map(str::to_owned));
    if let Some(base_url) = text(given.base_url, "base_url")? {
        made.base_url = base_url;
    }
    made.api_version = match given.api_version {
        value if value == ue_api_version::UE_API_VERSION_SPECIFICATION as i32 => ApiVersion::Specification,
        value if value == ue_api_version::UE_API_VERSION_2 as i32 => ApiVersion::V2,
        other => {
            return Err(Error::invalid(format!(
                "api_version is {other}: give UE_API_VERSION_SPECIFICATION (0) or UE_API_VERSION_2 (2)"
            )));
        }
    };
    made.delivery_policy = match given.delivery_policy {
        value if value == ue_delivery_policy::UE_AT_MOST_ONCE as i32 => DeliveryPolicy::AtMostOnce,
        value if value == ue_delivery_policy::UE_AT_LEAST_ONCE as i32 => DeliveryPolicy::AtLeastOnce,
        other => {
            return Err(Error::invalid(format!(
                "delivery_policy is {other}: give UE_AT_MOST_ONCE (0) or UE_AT_LEAST_ONCE (1)"
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
        other => return Err(Error::invalid(format!("log_level is {other}: give UE_LOG_OFF (0) to UE_LOG_TRACE (5)"))),
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

/// Reads the options of a batch: NULL, and every field that is zero, means the default.
///
/// # Safety
/// `options` is NULL or as the header says; the callback stays callable while the batch is sent.
pub(super) unsafe fn batch_options(options: *const ue_batch_options) -> Result<(BatchOptions, OnResult), Error> {
    let mut made = BatchOptions::default();
    if options.is_null() {
        return Ok((made, OnResult { call: None, user_data: ptr::null_mut() }));
    }
    // SAFETY: the caller's promise.
    let given = unsafe { read(options) }?;
    made.max_failures_in_a_row = given.max_failures_in_a_row;
    // SAFETY: the caller's promise.
    made.cancel = unsafe { cancel::shared(given.cancel) }.cloned();
    Ok((made, OnResult { call: given.on_result, user_data: given.user_data }))
}

/// Reads the options of a queue: NULL, and every field that is zero, means the default.
///
/// # Safety
/// `options` is NULL or as the header says.
pub(super) unsafe fn queue_options(options: *const ue_queue_options) -> Result<QueueOptions, Error> {
    let mut made = QueueOptions::default();
    if options.is_null() {
        return Ok(made);
    }
    // SAFETY: the caller's promise.
    let given = unsafe { read(options) }?;
    if given.capacity != 0 {
        made.capacity = given.capacity;
    }
    made.max_failures_in_a_row = given.max_failures_in_a_row;
    made.timeout_from = match given.timeout_from {
        value if value == ue_timeout_from::UE_TIMEOUT_FROM_TURN as i32 => TimeoutFrom::Turn,
        value if value == ue_timeout_from::UE_TIMEOUT_FROM_PUSH as i32 => TimeoutFrom::Push,
        other => {
            return Err(Error::invalid(format!(
                "timeout_from is {other}: give UE_TIMEOUT_FROM_TURN (0) or UE_TIMEOUT_FROM_PUSH (1)"
            )));
        }
    };
    Ok(made)
}

/// The callback of a batch.
pub(super) struct OnResult {
    call: ue_on_result_fn,
    user_data: *mut c_void,
}

impl OnResult {
    pub fn is_set(&self) -> bool {
        self.call.is_some()
    }

    /// Calls it, if there is one.
    ///
    /// # Safety
    /// `result` came from a result of this library and is not yet freed.
    pub unsafe fn tell(&self, index: usize, result: *const ue_result) -> BatchFlow {
        // SAFETY: the caller of `ue_send_conversations` promised that it can be called.
        match self.call.map_or(0, |call| unsafe { call(self.user_data, index, result) }) {
            value if value == ue_batch_flow::UE_BATCH_CONTINUE as i32 => BatchFlow::Continue,
            value if value == ue_batch_flow::UE_BATCH_ABORT as i32 => BatchFlow::Abort,
            _ => BatchFlow::Finish,
        }
    }
}
