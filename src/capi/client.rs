//! The entry points of a client.

use std::ffi::{c_char, c_void};
use std::ptr;

use super::input;
use super::result::{self, Results, ue_result};
use super::types::{ue_message, ue_options, ue_progress_fn, ue_status};
use crate::sys::panic::guard;
use crate::{Client, Delivery, Error, Level, Outcome, Status};

/// Sends messages. Made by ue_client_new, freed by ue_free.
pub struct ue_client {
    pub(super) client: Client,
}

fn into_handle(client: Client) -> *mut ue_client {
    Box::into_raw(Box::new(ue_client { client }))
}

/// # Safety
/// `client` is NULL or came from [`into_handle`], is not yet freed, and outlives `'a`.
unsafe fn shared<'a>(client: *const ue_client) -> Result<&'a Client, Error> {
    // SAFETY: the caller's promise.
    match unsafe { client.as_ref() } {
        Some(client) => Ok(&client.client),
        None => Err(Error::invalid("client is NULL: make one with ue_client_new and look at its result")),
    }
}

/// # Safety
/// `client` is NULL or came from [`into_handle`], and is used neither now, by another thread, nor again.
unsafe fn free(client: *mut ue_client) {
    if !client.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(client) });
    }
}

/// Makes a client. Connects to nothing yet.
///
/// api_key: required; visible ASCII, copied and wiped when the client is freed. options: NULL for the defaults; copied,
/// but its callbacks and their user_data must live as long as the client.
///
/// Returns NULL when an argument cannot be used (UE_INVALID_ARGUMENT; the result's text names it) or the process has no
/// descriptors left (UE_CONNECT). Free the client with ue_free.
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
    unsafe { result::set_result(result, outcome) };
    client
}

/// Sends one message and waits for what becomes of it, at most the client's timeout_ms.
///
/// Returns UE_OK when the message was delivered. Else ue_result_delivery tells whether it is safe to send it again, and
/// ue_result_message says it in words. Many threads may send with one client at once.
#[unsafe(no_mangle)]
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
    unsafe { result::set_result(result, outcome) };
    status
}

/// Sends many messages over at most max_connections connections at once, and waits for all.
///
/// messages: the first of count, which must stay as they are until the call has ended. Those to one client_user_id keep
/// their order, also where an earlier one fails. Retries, max_per_second and the pause of a 429 are as for single ones. The
/// timeout counts for each message from its turn on, and not while it waits for one. Uses threads of its own while it runs;
/// callbacks come on the calling thread alone.
///
/// progress: NULL, or told after each message. Where it stops the batch, what is under way ends and the rest is
/// UE_CANCELLED and not delivered. It is not told any more once the batch was stopped, by it or otherwise.
///
/// results: NULL, or room for count results, which are all set, in the messages' order, each to be freed.
///
/// Returns UE_OK where all were delivered, else the status of the first message, in their order, that was not. For a count
/// that no array can have, such as (size_t)-1, UE_INVALID_ARGUMENT: then no result is set, and the log says why.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_send_conversations(
    client: *mut ue_client,
    messages: *const ue_message,
    count: usize,
    progress: ue_progress_fn,
    progress_user_data: *mut c_void,
    results: *mut *mut ue_result,
) -> ue_status {
    // SAFETY: what the header asks of the caller.
    if let Err(error) = unsafe { input::check_count(messages, count) } {
        guard(|| {
            // SAFETY: what the header asks of the caller.
            if let Ok(client) = unsafe { shared(client) } {
                client.hooks().log(Level::Error, || error.to_string()); // there is no array for results
            }
        });
        return error.status().into();
    }
    // SAFETY: what the header asks of the caller.
    let results = unsafe { Results::new(results, count) };
    let mut first_failure = (count, Status::Ok);
    let sent = guard(|| {
        // SAFETY: what the header asks of the caller.
        let (client, messages) = unsafe { (shared(client)?, input::batch(messages, count)?) };
        let _call = client.begin_call()?;
        let mut stop = input::progress(progress, progress_user_data, count);
        let mut told = |index, outcome: Outcome| {
            if outcome.status() != Status::Ok && index < first_failure.0 {
                first_failure = (index, outcome.status());
            }
            results.set(index, outcome);
        };
        client.send_each(&messages, &mut told, &mut stop)
    });
    let untold = match sent {
        Some(Ok(())) => return first_failure.1.into(),
        Some(Err(error)) => error.into_outcome(),
        None => Outcome::panicked(),
    };
    results.fill(&untold);
    untold.status().into()
}

/// Ends the calls under way in other threads, and every later one, with UE_CLOSED, and closes the idle connections. Does
/// not wait; may be called any number of times.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_client_close(client: *mut ue_client) {
    guard(|| {
        // SAFETY: what the header asks of the caller.
        if let Ok(client) = unsafe { shared(client) } {
            client.close();
        }
    });
}

/// Closes the client, waits for the calls under way, and frees it. Must be the last use, and not come from a callback.
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
