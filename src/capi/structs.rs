//! Reads and writes structs of the C API that start with their own size. The caller may have any version of the header.

use std::mem::MaybeUninit;
use std::ptr;

use super::types::{ue_batch_options, ue_message, ue_options, ue_outcome, ue_queue_options};
use crate::Error;

/// A struct of the C API that starts with its own size.
///
/// # Safety
/// `Self` is `repr(C)`, starts with `struct_size: usize`, and, if it is read, is valid when all zero.
pub(super) unsafe trait Versioned: Copy {
    const NAME: &'static str;
    /// The macro with its initial value.
    const INIT: &'static str;
}

// SAFETY: a size, pointers, integers and optional functions.
unsafe impl Versioned for ue_batch_options {
    const NAME: &'static str = "ue_batch_options";
    const INIT: &'static str = "UE_BATCH_OPTIONS_INIT";
}

// SAFETY: a size and integers.
unsafe impl Versioned for ue_queue_options {
    const NAME: &'static str = "ue_queue_options";
    const INIT: &'static str = "UE_QUEUE_OPTIONS_INIT";
}

// SAFETY: a size, pointers, integers and optional functions.
unsafe impl Versioned for ue_options {
    const NAME: &'static str = "ue_options";
    const INIT: &'static str = "UE_OPTIONS_INIT";
}

// SAFETY: a size, pointers and integers.
unsafe impl Versioned for ue_message {
    const NAME: &'static str = "ue_message";
    const INIT: &'static str = "UE_MESSAGE_INIT";
}

// SAFETY: a size, integers, a bool, pointers, and enums; it is only written.
unsafe impl Versioned for ue_outcome {
    const NAME: &'static str = "ue_outcome";
    const INIT: &'static str = "UE_OUTCOME_INIT";
}

/// Reads `struct_size`. An error if no version of the struct can have that size.
///
/// # Safety
/// `from` points to a readable `struct_size`.
pub(super) unsafe fn size_of_version<T: Versioned>(from: *const T) -> Result<usize, Error> {
    const LARGEST: usize = 4096;
    let name = T::NAME;
    // SAFETY: the caller's promise, and the trait's.
    let size = unsafe { from.cast::<usize>().read() };
    if size < 2 * align_of::<T>() || size % align_of::<T>() != 0 || size > LARGEST {
        return Err(Error::invalid(format!(
            "struct_size is {size}, which no {name} has: initialise the struct with {}",
            T::INIT
        )));
    }
    Ok(size)
}

/// Reads a struct of an older or a newer version of this library. Missing fields become zero, which means the default.
/// Unknown fields must be zero.
///
/// # Safety
/// `from` points to `struct_size` readable bytes.
pub(super) unsafe fn read<T: Versioned>(from: *const T) -> Result<T, Error> {
    let (name, known) = (T::NAME, size_of::<T>());
    // SAFETY: the caller's promise.
    let size = unsafe { size_of_version(from) }?;
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both are valid for the lesser of the two sizes, and do not overlap.
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

/// Writes `value` into a struct of an older or a newer version of this library, and keeps its `struct_size`. Skips
/// fields that the struct lacks, and zeroes fields that are unknown here. `false` if no version can have that size.
///
/// # Safety
/// `to` points to `struct_size` bytes that can be written.
pub(super) unsafe fn write<T: Versioned>(to: *mut T, value: &T) -> bool {
    // SAFETY: the caller's promise.
    let Ok(size) = (unsafe { size_of_version(to) }) else {
        return false;
    };
    let (own, known) = (size_of::<usize>(), size_of::<T>().min(size));
    // SAFETY: both are valid for the lesser of the two sizes, and do not overlap; the rest is the caller's promise.
    unsafe {
        ptr::copy_nonoverlapping((&raw const *value).cast::<u8>().add(own), to.cast::<u8>().add(own), known - own);
        ptr::write_bytes(to.cast::<u8>().add(known), 0, size - known);
    }
    true
}
