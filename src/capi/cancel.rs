//! The entry points of a cancel handle.

use std::ptr;

use super::result::{self, ue_result};
use crate::sys::panic::guard;
use crate::{Cancel, Delivery, Outcome, Status};

/// Ends calls from another thread or from a signal handler. Created by ue_cancel_new, freed by ue_cancel_free.
pub struct ue_cancel {
    cancel: Cancel,
}

/// Borrows the cancel of a handle. `None` for NULL.
///
/// # Safety
/// `cancel` is NULL or came from [`ue_cancel_new`], is not yet freed, and outlives `'a`.
pub(super) unsafe fn shared<'a>(cancel: *const ue_cancel) -> Option<&'a Cancel> {
    // SAFETY: the caller's promise.
    unsafe { cancel.as_ref() }.map(|handle| &handle.cancel)
}

/// Creates a handle that ends the calls it is given to: set it in ue_message or ue_batch_options. It takes two
/// descriptors. A child that inherits it through fork() may use it, too; to trigger it in the one process has no effect in
/// the other.
///
/// Returns NULL if the process has no descriptors left (UE_CONNECT). Free it with ue_cancel_free.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_cancel_new(result: *mut *mut ue_result) -> *mut ue_cancel {
    let (cancel, outcome) = match guard(Cancel::new) {
        Some(Ok(cancel)) => {
            (Box::into_raw(Box::new(ue_cancel { cancel })), Outcome::new(Status::Ok, Delivery::NotDelivered))
        }
        Some(Err(error)) => (ptr::null_mut(), error.into_outcome()),
        None => (ptr::null_mut(), Outcome::panicked()),
    };
    // SAFETY: what the header asks of the caller.
    unsafe { result::set_result(result, outcome, ptr::null_mut()) };
    cancel
}

/// Ends the calls that have this handle, now and later, at once: with UE_CANCELLED, and what is known of each message. May
/// be called from any thread, any number of times, and, alone of all functions, also from a signal handler: it keeps
/// errno. Does nothing for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_cancel_trigger(cancel: *mut ue_cancel) {
    // No guard: that is not safe in a signal handler, and nothing here panics.
    // SAFETY: what the header asks of the caller.
    if let Some(cancel) = unsafe { shared(cancel) } {
        crate::sys::with_errno_kept(|| cancel.trigger());
    }
}

/// Frees a cancel handle. Calls and queues that have it keep what they need; they can no longer be cancelled with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_cancel_free(cancel: *mut ue_cancel) {
    if !cancel.is_null() {
        // SAFETY: what the header asks of the caller.
        guard(|| drop(unsafe { Box::from_raw(cancel) }));
    }
}
