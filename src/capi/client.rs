//! The entry points of a client.

use std::ffi::c_char;
use std::ptr;

use super::input;
use super::result::{self, Results, ue_result};
use super::types::{ue_batch_options, ue_message, ue_options, ue_status};
use crate::sys::panic::guard;
use crate::{Client, Delivery, Error, Level, Outcome, Status};

/// Sends messages. Created by ue_client_new, freed by ue_free.
pub struct ue_client {
    pub(super) client: Client,
}

fn into_handle(client: Client) -> *mut ue_client {
    Box::into_raw(Box::new(ue_client { client }))
}

/// Borrows the client of a handle. An error for NULL.
///
/// # Safety
/// `client` is NULL or came from [`into_handle`], is not yet freed, and outlives `'a`.
pub(super) unsafe fn shared<'a>(client: *const ue_client) -> Result<&'a Client, Error> {
    // SAFETY: the caller's promise.
    match unsafe { client.as_ref() } {
        Some(client) => Ok(&client.client),
        None => Err(Error::invalid("client is NULL: make one with ue_client_new and look at its result")),
    }
}

/// Frees a handle. Does nothing for NULL.
///
/// # Safety
/// `client` is NULL or came from [`into_handle`]. No other thread uses it, and it is not used again.
unsafe fn free(client: *mut ue_client) {
    if !client.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(client) });
    }
}

/// Creates a client. Does not connect yet.
///
/// api_key: required; visible ASCII. The client copies it, and wipes the copy when it is freed. options: NULL for the
/// defaults. They are copied, but the callbacks and their user_data must live as long as the client and its queues.
///
/// Returns NULL if an argument cannot be used (UE_INVALID_ARGUMENT; the result's text names it) or if the process has
/// no descriptors left (UE_CONNECT). Free the client with ue_free.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_client_new(
    api_key: *const c_char,
    options: *const ue_options,
    result: *mut *mut ue_result,
) -> *mut ue_client {
    // SAFETY: what the header asks of the caller.
    let made = guard(|| Client::new(unsafe { input::api_key(api_key) }?, unsafe { input::options(options) }?));
    let (client, outcome) = match made {
        Some(Ok(client)) => (into_handle(client), Outcome::new(Status::Ok, Delivery::NotDelivered)),
        Some(Err(error)) => (ptr::null_mut(), error.into_outcome()),
        None => (ptr::null_mut(), Outcome::panicked()),
    };
    // SAFETY: what the header asks of the caller.
    unsafe { result::set_result(result, outcome, ptr::null_mut()) };
    client
}

/// Sends one message and waits for the outcome, at most the message's timeout_ms, or the client's.
///
/// Returns UE_OK if the message was delivered. Otherwise ue_result_retry says whether sending it again can help, and
/// ue_result_message explains it to a person. Many threads may send with one client at once: each has a connection of its
/// own.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_send_conversation(
    client: *mut ue_client,
    message: *const ue_message,
    result: *mut *mut ue_result,
) -> ue_status {
    let sent = guard(|| {
        // SAFETY: what the header asks of the caller.
        let (client, message) = unsafe { (shared(client)?, input::message(message)?) };
        let _call = client.begin_call()?;
        client.send_conversation(&message)
    });
    let outcome = match sent {
        Some(sent) => sent.unwrap_or_else(Error::into_outcome),
        None => Outcome::panicked(),
    };
    let status = outcome.status().into();
    // SAFETY: what the header asks of the caller.
    unsafe { result::set_result(result, outcome, input::user_data(message)) };
    status
}

/// Sends many messages over at most max_connections connections at once, and waits for all of them.
///
/// messages: an array of count messages. Do not change them before the call returns. Messages to one client_user_id are
/// sent in order, also if an earlier one fails. Retries, the rate limit (max_per_second) and the pause after a 429 work
/// as for single messages. Each message has its own deadline: the timeout starts at its turn, and does not include the
/// wait for a turn. The call starts a thread and ends it before it returns; callbacks run only on the calling thread.
///
/// options: NULL for the defaults. on_result there receives each result as soon as it is known, and can end the batch.
/// A signal ends it only if on_result, interrupt or the batch's cancel says so.
///
/// results: NULL, or an array with room for count results. All are set, in the order of the messages. Free each of
/// them.
///
/// Returns UE_OK if all messages were delivered, otherwise the status of the first one in the array that was not; UE_CONNECT
/// for all of them if the process has no descriptors or threads left. For a
/// count that no array can have, such as (size_t)-1, or options that cannot be used, UE_INVALID_ARGUMENT; in the first
/// case no result is set, and the log says why.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_send_conversations(
    client: *mut ue_client,
    messages: *const ue_message,
    count: usize,
    options: *const ue_batch_options,
    results: *mut *mut ue_result,
) -> ue_status {
    // SAFETY: what the header asks of the caller.
    if let Err(error) = unsafe { input::check_count(messages, count) } {
        guard(|| {
            // SAFETY: what the header asks of the caller.
            if let Ok(client) = unsafe { shared(client) } {
                client.hooks().log(Level::Error, || error.to_string()); // no results can be set
            }
        });
        return error.status().into();
    }
    // SAFETY: what the header asks of the caller.
    let results = unsafe { Results::new(results, messages, count) };
    let mut first_failure = (count, Status::Ok);
    let sent = guard(|| {
        // SAFETY: what the header asks of the caller.
        let (client, messages) = unsafe { (shared(client)?, input::batch(messages, count)?) };
        // SAFETY: as above.
        let (options, on_result) = unsafe { input::batch_options(options) }?;
        let _call = client.begin_call()?;
        client.send_each(&messages, &options, &mut |index, outcome| {
            if outcome.status() != Status::Ok && index < first_failure.0 {
                first_failure = (index, outcome.status());
            }
            results.set(index, outcome, &on_result)
        })
    });
    let rest = match sent {
        Some(Ok(())) => return first_failure.1.into(),
        Some(Err(error)) => error.into_outcome(),
        None => Outcome::panicked(),
    };
    results.fill(&rest);
    rest.status().into()
}

/// Closes the client: cancels the calls in flight in other threads and in queues, makes every later call fail, both with
/// UE_CLOSED, and closes the idle connections. Does not wait. May be called any number of times.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_client_close(client: *mut ue_client) {
    guard(|| {
        // SAFETY: what the header asks of the caller.
        if let Ok(client) = unsafe { shared(client) } {
            client.close();
        }
    });
}

/// Closes the client, waits for the calls in flight, and frees it. Must be the last use of the client. Must not be
/// called from a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_free(client: *mut ue_client) {
    guard(|| {
        // SAFETY: what the header asks of the caller.
        if let Ok(shared) = unsafe { shared(client) } {
            shared.close();
            shared.wait_for_calls();
            // SAFETY: what the header asks of the caller; no other thread is inside.
            unsafe { free(client) };
        }
    });
}

#[cfg(test)]
mod tests;
