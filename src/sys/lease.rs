//! [`Owner`] and [`Lease`]: shared pointers to one value, of which a fork ends some.
//!
//! An `Arc` counts all its clones. In the child of a fork some of them lie on the stacks of threads that do not exist there,
//! and are never dropped: so the value would never be dropped either, and a secret in it would stay in memory.

use std::fmt;
use std::ops::Deref;
use std::process;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::forks;

/// A pointer that the host holds: the child of a fork has it, too.
pub(crate) struct Owner<T>(Pointer<T>);

/// A pointer that a thread or a call holds: it counts in the process that made it alone. In the child of that process it
/// may be used only while an [`Owner`] is left. Nothing does so: what a thread of the parent held is never run there, and a
/// call in which a callback forks ends at once.
pub(crate) struct Lease<T> {
    pointer: Pointer<T>,
    forks: u64,
}

struct Pointer<T>(NonNull<Shared<T>>);

struct Shared<T> {
    counts: AtomicU64,
    value: T,
}

/// How many pointers there are, packed into one number so that they change at once.
#[derive(Clone, Copy)]
struct Counts {
    owners: u64,
    leases: u64,
    /// The lower bits of the fork generation that the leases belong to.
    generation: u64,
}

const BITS: u32 = 24;
const MASK: u64 = (1 << BITS) - 1;
const GENERATION: u64 = (1 << (64 - 2 * BITS)) - 1;

impl Counts {
    /// Leases of another generation are those of threads that do not exist in this process.
    fn unpack(packed: u64) -> Self {
        let generation = forks() & GENERATION;
        let is_current = packed >> (2 * BITS) == generation;
        Counts { owners: packed & MASK, leases: if is_current { packed >> BITS & MASK } else { 0 }, generation }
    }

    fn pack(self) -> u64 {
        self.owners | self.leases << BITS | self.generation << (2 * BITS)
    }
}

impl<T> Pointer<T> {
    fn shared(&self) -> &Shared<T> {
        // SAFETY: it came from `Box::into_raw`, and is freed when the last pointer that counts is dropped.
        unsafe { self.0.as_ref() }
    }

    /// Another pointer to the same value. The caller counts it.
    fn copy(&self) -> Self {
        Pointer(self.0)
    }

    fn count(&self, change: impl Fn(&mut Counts)) -> Counts {
        let changed = |packed: u64| {
            let mut counts = Counts::unpack(packed);
            change(&mut counts);
            if counts.owners > MASK || counts.leases > MASK {
                process::abort(); // as an `Arc` does: more would be dropped too early
            }
            counts
        };
        let update = |packed| Some(changed(packed).pack());
        let before = self.shared().counts.fetch_update(Ordering::AcqRel, Ordering::Acquire, update);
        changed(before.unwrap_or_else(|packed| packed)) // `update` never declines
    }

    fn drop_one(&mut self, change: impl Fn(&mut Counts)) {
        let left = self.count(change);
        if left.owners == 0 && left.leases == 0 {
            // SAFETY: it came from `Box::into_raw`. No pointer is left that may be used.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

impl<T> Owner<T> {
    pub fn new(value: T) -> Self {
        let counts = Counts { owners: 1, leases: 0, generation: forks() & GENERATION };
        let shared = Box::new(Shared { counts: AtomicU64::new(counts.pack()), value });
        Owner(Pointer(NonNull::from(Box::leak(shared))))
    }

    pub fn lease(&self) -> Lease<T> {
        self.0.count(|counts| counts.leases += 1);
        Lease { pointer: self.0.copy(), forks: forks() }
    }
}

impl<T> Clone for Owner<T> {
    fn clone(&self) -> Self {
        self.0.count(|counts| counts.owners += 1);
        Owner(self.0.copy())
    }
}

impl<T> Clone for Lease<T> {
    /// A lease of the current process, also if this one is its parent's.
    fn clone(&self) -> Self {
        self.pointer.count(|counts| counts.leases += 1);
        Lease { pointer: self.pointer.copy(), forks: forks() }
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        self.0.drop_one(|counts| counts.owners -= 1);
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        if self.forks == forks() {
            self.pointer.drop_one(|counts| counts.leases -= 1);
        }
    }
}

impl<T> Deref for Owner<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.shared().value
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.pointer.shared().value
    }
}

impl<T> fmt::Debug for Owner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}

// SAFETY: as for an `Arc`: pointers on several threads share the value, and any of them may drop it.
unsafe impl<T: Send + Sync> Send for Owner<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Owner<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Lease<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Lease<T> {}

#[cfg(test)]
mod tests;
