//! Every cast: what comes from C becomes checked Rust, and what goes to C becomes a handle.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::result::Parts;
use super::types::{
    ue_client, ue_interrupt_fn, ue_log_fn, ue_message, ue_options, ue_outcome, ue_progress_fn, ue_result,
};
use crate::batch::Messages;
use crate::{ApiVersion, Client, Error, Level, Message, Options, Outcome, Policy, Source};

/// A struct of the C API that begins with its own size.
///
/// # Safety
/// `Self` is `repr(C)`, begins with `struct_size: usize`, and is valid when all zero.
pub(super) unsafe trait Versioned: Copy {
    const NAME: &'static str;
}

// SAFETY: a size, pointers, integers and optional functions.
unsafe impl Versioned for ue_options {
    const NAME: &'static str = "ue_options";
}

// SAFETY: a size, pointers and integers.
unsafe impl Versioned for ue_message {
    const NAME: &'static str = "ue_message";
}

// SAFETY: a size, integers, a bool and pointers.
unsafe impl Versioned for ue_outcome {
    const NAME: &'static str = "ue_outcome";
}

/// The size that a struct gives as its own, where a version of it can have that size.
///
/// # Safety
/// `from` points to a readable `struct_size`.
unsafe fn size_of_version<T: Versioned>(from: *const T) -> Result<usize, Error> {
    const LARGEST: usize = 4096;
    let name = T::NAME;
    // SAFETY: the caller's promise, and the trait's.
    let size = unsafe { from.cast::<usize>().read() };
    if size < 2 * align_of::<T>() || size % align_of::<T>() != 0 || size > LARGEST {
        return Err(Error::invalid(format!(
            "struct_size is {size}, which no {name} has: zero the struct and set struct_size = sizeof({name})"
        )));
    }
    Ok(size)
}

/// Reads a struct of an older or a newer version of this library: what is missing is zero, which means the default; what
/// is unknown must be zero.
///
/// # Safety
/// `from` points to `struct_size` readable bytes.
unsafe fn read<T: Versioned>(from: *const T) -> Result<T, Error> {
    let (name, known) = (T::NAME, size_of::<T>());
    // SAFETY: the caller's promise.
    let size = unsafe { size_of_version(from) }?;
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both are valid for the lesser of the two sizes, and apart.
    unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), value.as_mut_ptr().cast(), size.min(known)) };
    // SAFETY: the caller's promise covers `size` bytes.
    let unknown = (known..size).any(|at| unsafe { from.cast::<u8>().add(at).read() } != 0);
    if unknown {
        return Err(Error::invalid(format!(
            "{name} sets a field that version {} of the library does not know: update the library, or leave it zero",
            crate::VERSION
        )));
    }
    // SAFETY: all zero is valid, and so is what the caller filled in.
    Ok(unsafe { value.assume_init() })
}

/// Writes `value` into a struct of an older or a newer version of this library, which keeps its own size: what it lacks is
/// left out, what is unknown here becomes zero. Whether it has a size that a version can have.
///
/// # Safety
/// `to` points to `struct_size` bytes that can be written.
pub(super) unsafe fn write<T: Versioned>(to: *mut T, value: &T) -> bool {
    // SAFETY: the caller's promise.
    let Ok(size) = (unsafe { size_of_version(to) }) else {
        return false;
    };
    let (own, known) = (size_of::<usize>(), size_of::<T>().min(size));
    // SAFETY: both are valid for the lesser of the two sizes, and apart; what lies behind is the caller's promise.
    unsafe {
        ptr::copy_nonoverlapping((&raw const *value).cast::<u8>().add(own), to.cast::<u8>().add(own), known - own);
        ptr::write_bytes(to.cast::<u8>().add(known), 0, size - known);
    }
    true
}

/// Text of `length` bytes, or up to its NUL where `length` is 0.
///
/// # Safety
/// `text` is NULL, or has `length` bytes, or is NUL-terminated where `length` is 0; it outlives `'a`.
unsafe fn optional<'a>(text: *const c_char, length: usize, field: &str) -> Result<Option<&'a str>, Error> {
    if text.is_null() && length == 0 {
        return Ok(None);
    }
    if text.is_null() || isize::try_from(length).is_err() {
        return Err(Error::invalid(format!("{field} is NULL or shorter than its length says: set both, or neither")));
    }
    let bytes = match length {
        // SAFETY: the caller's promise.
        0 => unsafe { CStr::from_ptr(text) }.to_bytes(),
        // SAFETY: the caller's promise.
        length => unsafe { slice::from_raw_parts(text.cast(), length) },
    };
    std::str::from_utf8(bytes).map(Some).map_err(|error| {
        Error::invalid(format!("{field} is not UTF-8 from byte {} on: convert it to UTF-8", error.valid_up_to()))
    })
}

/// # Safety
/// As for [`optional`].
unsafe fn required<'a>(text: *const c_char, length: usize, field: &str) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    unsafe { optional(text, length, field) }?.ok_or_else(|| Error::invalid(format!("{field} is NULL: set it")))
}

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

/// Refuses a count that no array can have. To be asked before any place of the caller's arrays is written.
///
/// # Safety
/// `first` is NULL or, where an array can have `count` messages, a message that is as the header says.
pub(super) unsafe fn check_count(first: *const ue_message, count: usize) -> Result<(), Error> {
    const SMALLEST: usize = 2 * size_of::<usize>(); // every version has more than its size
    let fits = |size: usize| count.checked_mul(size).is_some_and(|bytes| isize::try_from(bytes).is_ok());
    let mut possible = fits(SMALLEST);
    if possible && count > 0 && !first.is_null() {
        // SAFETY: the caller's promise. What no version has is refused later, in each result.
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
    /// The distance of the messages: the size of the caller's version of the struct.
    stride: usize,
}

// SAFETY: the array is only read, and the caller leaves it alone until the call has ended.
unsafe impl Sync for Batch {}

/// # Safety
/// `first` is NULL, or the first of `count` messages that are as the header says, all of one size, and stay so while the
/// batch is used.
pub(super) unsafe fn batch(first: *const ue_message, count: usize) -> Result<Batch, Error> {
    if first.is_null() && count > 0 {
        return Err(Error::invalid("messages is NULL: pass an array of ue_message"));
    }
    // SAFETY: the caller's promise.
    let stride = if count == 0 { 0 } else { unsafe { size_of_version(first) }? };
    Ok(Batch { first, count, stride })
}

impl Messages for Batch {
    fn count(&self) -> usize {
        self.count
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
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
        // SAFETY: as above.
        unsafe { message(one) }.map(Cow::Owned)
    }
}

/// # Safety
/// As for [`required`].
pub(super) unsafe fn api_key<'a>(api_key: *const c_char) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    unsafe { required(api_key, 0, "api_key") }
}

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
    made.policy = match given.delivery_policy {
        0 => Policy::AtMostOnce,
        1 => Policy::AtLeastOnce,
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

/// The host's own pointer, handed back as it came.
#[derive(Clone, Copy)]
struct UserData(*mut c_void);

// SAFETY: it is never followed here. The header tells on which thread the callbacks get it.
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

/// The progress callback as a question whether to stop.
pub(super) fn progress(call: ue_progress_fn, user_data: *mut c_void, count: usize) -> impl FnMut() -> bool {
    let mut done = 0;
    move || {
        done += 1;
        // SAFETY: the caller of `ue_send_conversations` promised that it can be called.
        call.is_some_and(|call| unsafe { call(user_data, done, count) } != 0)
    }
}

/// `text` for C, without what C takes for its end.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "")).unwrap_or_default())
}

pub(super) fn new_client(client: Client) -> *mut ue_client {
    Box::into_raw(Box::new(ue_client { client }))
}

/// # Safety
/// `client` is NULL or came from [`new_client`], is not yet freed, and outlives `'a`.
pub(super) unsafe fn client<'a>(client: *const ue_client) -> Result<&'a Client, Error> {
    // SAFETY: the caller's promise.
    match unsafe { client.as_ref() } {
        Some(client) => Ok(&client.client),
        None => Err(Error::invalid("client is NULL: make one with ue_client_new and look at its result")),
    }
}

/// # Safety
/// `client` is NULL or came from [`new_client`], and is used neither now, by another thread, nor again.
pub(super) unsafe fn free_client(client: *mut ue_client) {
    if !client.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(client) });
    }
}

/// Sets `*to`, where the caller wants it.
///
/// # Safety
/// `to` is NULL or can be written.
pub(super) unsafe fn set_result(to: *mut *mut ue_result, outcome: Outcome) {
    if !to.is_null() {
        let result = Box::into_raw(Box::new(ue_result { parts: Parts::new(outcome) }));
        // SAFETY: the caller's promise.
        unsafe { to.write(result) };
    }
}

/// Where the results of a batch go: the caller's array, or nowhere.
pub(super) struct Results {
    first: *mut *mut ue_result,
    count: usize,
}

impl Results {
    /// # Safety
    /// `first` is NULL or the first of `count` places that can be written as long as this lives.
    pub unsafe fn new(first: *mut *mut ue_result, count: usize) -> Self {
        for index in (0..count).take_while(|_| !first.is_null()) {
            // SAFETY: the caller's promise.
            unsafe { first.add(index).write(ptr::null_mut()) };
        }
        Results { first, count }
    }

    pub fn set(&self, index: usize, outcome: Outcome) {
        if !self.first.is_null() && index < self.count {
            // SAFETY: what `new` was promised.
            unsafe { set_result(self.first.add(index), outcome) };
        }
    }

    /// Sets every one that is not set yet.
    pub fn fill(&self, outcome: &Outcome) {
        for index in (0..self.count).take_while(|_| !self.first.is_null()) {
            // SAFETY: what `new` was promised; `new` wrote every place.
            if unsafe { self.first.add(index).read() }.is_null() {
                self.set(index, outcome.clone());
            }
        }
    }
}

/// # Safety
/// `result` is NULL or came from [`set_result`], is not yet freed, and outlives `'a`.
pub(super) unsafe fn result<'a>(result: *const ue_result) -> Option<&'a Parts> {
    // SAFETY: the caller's promise.
    unsafe { result.as_ref() }.map(|result| &result.parts)
}

/// # Safety
/// `result` is NULL or came from [`set_result`], and is not used again.
pub(super) unsafe fn free_result(result: *mut ue_result) {
    if !result.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(result) });
    }
}
