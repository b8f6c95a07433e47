//! The entry points of a result.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use super::input::{self, OnResult};
use super::structs;
use super::types::{STATUSES, ue_delivery, ue_message, ue_outcome, ue_retry, ue_status};
use crate::{BatchFlow, Outcome};

/// The result of a call. Immutable, readable from any thread, freed by ue_result_free.
pub struct ue_result {
    parts: Parts,
}

/// An outcome, and its texts as C strings.
struct Parts {
    outcome: Outcome,
    /// The message's own; never dereferenced.
    user_data: *mut c_void,
    request_id: Text,
    detail: Text,
    message: Text,
}

/// A C string. An empty one allocates nothing.
struct Text(Option<CString>);

impl Text {
    fn new(text: &str) -> Self {
        Text((!text.is_empty()).then(|| c_string(text)))
    }

    fn as_ptr(&self) -> *const c_char {
        self.0.as_deref().unwrap_or(c"").as_ptr()
    }
}

impl Parts {
    fn new(mut outcome: Outcome, user_data: *mut c_void) -> Self {
        outcome.body.push(0); // so that C can read it as a string
        Parts {
            request_id: Text::new(outcome.request_id()),
            detail: Text::new(outcome.detail()),
            message: Text::new(outcome.message()),
            outcome,
            user_data,
        }
    }
}

/// Converts `text` to a C string. Removes NULs, which would end it early.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "")).unwrap_or_default())
}

/// Makes a result. Free it with [`free`].
fn make(outcome: Outcome, user_data: *mut c_void) -> *mut ue_result {
    Box::into_raw(Box::new(ue_result { parts: Parts::new(outcome, user_data) }))
}

/// Writes a new result to `*to`. Does nothing if `to` is NULL: the caller does not want one.
///
/// # Safety
/// `to` is NULL or can be written.
pub(super) unsafe fn set_result(to: *mut *mut ue_result, outcome: Outcome, user_data: *mut c_void) {
    if !to.is_null() {
        // SAFETY: the caller's promise.
        unsafe { to.write(make(outcome, user_data)) };
    }
}

/// The caller's array for the results of a batch. It may be NULL: then results are dropped.
pub(super) struct Results {
    first: *mut *mut ue_result,
    messages: *const ue_message,
    count: usize,
}

impl Results {
    /// Sets every place of the array to NULL.
    ///
    /// # Safety
    /// `first` is NULL or the first of `count` places that can be written as long as this lives. `messages` is the array
    /// of the batch.
    pub unsafe fn new(first: *mut *mut ue_result, messages: *const ue_message, count: usize) -> Self {
        for index in (0..count).take_while(|_| !first.is_null()) {
            // SAFETY: the caller's promise.
            unsafe { first.add(index).write(ptr::null_mut()) };
        }
        Results { first, messages, count }
    }

    /// Writes the result of one message, and passes it to the callback.
    pub fn set(&self, index: usize, outcome: Outcome, on_result: &OnResult) -> BatchFlow {
        if self.first.is_null() && !on_result.is_set() {
            return BatchFlow::Continue;
        }
        // SAFETY: what `new` was promised; the index is that of a message.
        let result = make(outcome, unsafe { input::user_data_at(self.messages, index) });
        if self.first.is_null() {
            // SAFETY: it was just made.
            let flow = unsafe { on_result.tell(index, result) };
            // SAFETY: it was made here, and the callback borrowed it only.
            unsafe { free(result) };
            return flow;
        }
        // SAFETY: what `new` was promised.
        unsafe { self.first.add(index).write(result) };
        // SAFETY: the caller does not free it before the call returns.
        unsafe { on_result.tell(index, result) }
    }

    /// Writes `outcome` to every place that is not set yet.
    pub fn fill(&self, outcome: &Outcome) {
        for index in (0..self.count).take_while(|_| !self.first.is_null()) {
            // SAFETY: what `new` was promised; `new` wrote every place.
            unsafe {
                if self.first.add(index).read().is_null() {
                    let user_data = input::user_data_at(self.messages, index);
                    self.first.add(index).write(make(outcome.clone(), user_data));
                }
            }
        }
    }
}

/// Borrows the contents of a result. `None` for NULL.
///
/// # Safety
/// `result` is NULL or came from [`set_result`], is not yet freed, and outlives `'a`.
unsafe fn parts<'a>(result: *const ue_result) -> Option<&'a Parts> {
    // SAFETY: the caller's promise.
    unsafe { result.as_ref() }.map(|result| &result.parts)
}

/// Frees a result. Does nothing for NULL.
///
/// # Safety
/// `result` is NULL or came from [`set_result`], and is not used again.
unsafe fn free(result: *mut ue_result) {
    if !result.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(result) });
    }
}

/// Calls `read` with the contents of a result. Returns `default` for NULL.
///
/// # Safety
/// As for [`parts`].
unsafe fn ask<T>(result: *const ue_result, default: T, read: impl FnOnce(&Parts) -> T) -> T {
    // SAFETY: the caller's promise.
    unsafe { parts(result) }.map_or(default, read)
}

/// The kind of outcome. UE_INVALID_ARGUMENT for NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_result_status(result: *const ue_result) -> ue_status {
    // SAFETY: what the header asks of the caller, here and below.
    unsafe { ask(result, ue_status::UE_INVALID_ARGUMENT, |parts| parts.outcome.status().into()) }
}

/// What is known about the message. UE_DELIVERY_UNKNOWN for NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_result_delivery(result: *const ue_result) -> ue_delivery {
    // SAFETY: as above.
    unsafe { ask(result, ue_delivery::UE_DELIVERY_UNKNOWN, |parts| parts.outcome.delivery().into()) }
}

/// Whether sending the message again can help. UE_RETRY_DECIDE for NULL. A program that sends failed messages again does so
/// for UE_RETRY_LATER alone.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_result_retry(result: *const ue_result) -> ue_retry {
    // SAFETY: as above.
    unsafe { ask(result, ue_retry::UE_RETRY_DECIDE, |parts| parts.outcome.retry().into()) }
}

/// The user_data of the ue_message. NULL: the message has none, or the result is that of another call.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_result_user_data(result: *const ue_result) -> *mut c_void {
    // SAFETY: as above.
    unsafe { ask(result, ptr::null_mut(), |parts| parts.user_data) }
}

/// Whether the customer may see the message twice: it was delivered, and an earlier attempt may have delivered it, too.
/// Happens only with UE_AT_LEAST_ONCE. False for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_may_be_duplicate(result: *const ue_result) -> bool {
    // SAFETY: as above.
    unsafe { ask(result, false, |parts| parts.outcome.may_be_duplicate()) }
}

/// The HTTP status of the last answer. 0: no answer arrived, or NULL was given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_http_status(result: *const ue_result) -> i32 {
    // SAFETY: as above.
    unsafe { ask(result, 0, |parts| parts.outcome.http_status().unwrap_or(0).into()) }
}

/// The conversation's id, which answers of UE_API_VERSION_2 have. -1: the answer has none, or NULL was given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_conversation_id(result: *const ue_result) -> i64 {
    // SAFETY: as above.
    unsafe { ask(result, -1, |parts| parts.outcome.conversation_id().unwrap_or(-1)) }
}

/// How many milliseconds to wait before the message is sent again: the time that the service asked for, or that this
/// client would have had to wait past its deadline. -1: not known, or NULL was given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_retry_after_ms(result: *const ue_result) -> i64 {
    let milliseconds = |parts: &Parts| {
        parts.outcome.retry_after().map_or(-1, |wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
    };
    // SAFETY: as above.
    unsafe { ask(result, -1, milliseconds) }
}

/// How many requests were started. 0: none, or NULL was given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_attempts(result: *const ue_result) -> u32 {
    // SAFETY: as above.
    unsafe { ask(result, 0, |parts| parts.outcome.attempts()) }
}

/// How many microseconds the call took, including every attempt and wait. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_elapsed_us(result: *const ue_result) -> u64 {
    let microseconds = |parts: &Parts| u64::try_from(parts.outcome.elapsed().as_micros()).unwrap_or(u64::MAX);
    // SAFETY: as above.
    unsafe { ask(result, 0, microseconds) }
}

/// The id under which the service knows the request (Cf-Ray). "": the answer has none, or it was redacted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_request_id(result: *const ue_result) -> *const c_char {
    // SAFETY: as above.
    unsafe { ask(result, c"".as_ptr(), |parts| parts.request_id.as_ptr()) }
}

/// The service's own words, in one line. "": it gave none, or they were redacted because they quote the message or the
/// key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_detail(result: *const ue_result) -> *const c_char {
    // SAFETY: as above.
    unsafe { ask(result, c"".as_ptr(), |parts| parts.detail.as_ptr()) }
}

/// One line for a person: what happened, what is known about the message, what to do. "" for UE_OK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_message(result: *const ue_result) -> *const c_char {
    // SAFETY: as above.
    unsafe { ask(result, c"".as_ptr(), |parts| parts.message.as_ptr()) }
}

/// The body of the last answer as received, at most 64 KiB of it, with a NUL after it. Sets *length to its length
/// without that NUL, unless length is NULL. Unlike all other texts it is not redacted and may quote the message: keep
/// it out of logs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_body(result: *const ue_result, length: *mut usize) -> *const c_char {
    // SAFETY: as above.
    let body = unsafe { ask(result, &b"\0"[..], |parts| &*(parts.outcome.body() as *const [u8])) };
    if !length.is_null() {
        // SAFETY: the caller's pointer can be written.
        unsafe { length.write(body.len() - 1) };
    }
    body.as_ptr().cast()
}

/// Reads everything at once that the functions above return one by one, also for NULL. For bindings in which each call is
/// expensive.
///
/// Returns false, and writes nothing, if outcome is NULL or no version of ue_outcome has its struct_size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_read(result: *const ue_result, outcome: *mut ue_outcome) -> bool {
    if outcome.is_null() {
        return false;
    }
    // SAFETY: what the header asks of the caller; the texts end with a NUL.
    unsafe {
        let length = |text: *const c_char| CStr::from_ptr(text).count_bytes();
        let (request_id, detail, message) =
            (ue_result_request_id(result), ue_result_detail(result), ue_result_message(result));
        let mut body_length = 0;
        let body = ue_result_body(result, &mut body_length);
        let read = ue_outcome {
            struct_size: size_of::<ue_outcome>(),
            status: ue_result_status(result),
            delivery: ue_result_delivery(result),
            http_status: ue_result_http_status(result),
            attempts: ue_result_attempts(result),
            may_be_duplicate: ue_result_may_be_duplicate(result),
            conversation_id: ue_result_conversation_id(result),
            retry_after_ms: ue_result_retry_after_ms(result),
            elapsed_us: ue_result_elapsed_us(result),
            request_id,
            detail,
            message,
            body,
            request_id_length: length(request_id),
            detail_length: length(detail),
            message_length: length(message),
            body_length,
            retry: ue_result_retry(result),
            user_data: ue_result_user_data(result),
        };
        structs::write(outcome, &read)
    }
}

/// Frees a result, and all texts that were borrowed from it. Does nothing for NULL. Every result is freed by this function
/// alone: never by free() or delete, and once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_result_free(result: *mut ue_result) {
    // SAFETY: what the header asks of the caller.
    unsafe { free(result) };
}

/// The name of a status, such as "UE_TIMEOUT"; "UE_UNKNOWN" for any other number. Static.
#[unsafe(no_mangle)]
pub extern "C" fn ue_status_name(status: i32) -> *const c_char {
    let known = STATUSES.iter().find(|known| **known as i32 == status);
    known.map_or(c"UE_UNKNOWN", |known| ue_status::of(*known).1).as_ptr()
}

/// The version of the library as a number that can be compared: major * 10000 + minor * 100 + patch. UE_VERSION_NUMBER is
/// that of this header.
#[unsafe(no_mangle)]
pub extern "C" fn ue_version_number() -> u32 {
    const fn number(text: &str) -> u32 {
        let (bytes, mut value, mut at) = (text.as_bytes(), 0, 0);
        while at < bytes.len() {
            value = value * 10 + (bytes[at] - b'0') as u32;
            at += 1;
        }
        value
    }
    const NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 10_000
        + number(env!("CARGO_PKG_VERSION_MINOR")) * 100
        + number(env!("CARGO_PKG_VERSION_PATCH"));
    NUMBER
}

/// The version of the library, such as "0.1.0". Static. UE_VERSION is the version of this header.
#[unsafe(no_mangle)]
pub extern "C" fn ue_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
