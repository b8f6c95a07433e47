//! [`PerProcess`]: a value that a process must not share with its parent or its child, such as locks and sockets.

use std::mem;
use std::sync::Arc;

use once_cell::race::OnceBox;

use super::forks;

/// A value of the process that made it, and a link to that of its child.
///
/// The values form a chain, one link for each fork generation that used it. A child inherits the whole chain in its copy
/// of the memory, finds no link of its own generation, and adds one.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    /// The fork generation: how many forks lay between the first process and this one when the value was made.
    generation: u64,
    value: Arc<T>,
    /// The value for the next fork generation. Set only in the child, which has its own copy of this memory.
    next: OnceBox<PerProcess<T>>,
}

impl<T> PerProcess<T> {
    pub fn new(value: T) -> Self {
        PerProcess { generation: forks(), value: Arc::new(value), next: OnceBox::new() }
    }

    /// The value of the current process. `make` makes it on the first use after a fork.
    pub fn current<E>(&self, make: impl Fn() -> Result<T, E>) -> Result<&Arc<T>, E> {
        let mut link = self;
        while link.generation != forks() {
            link = link.next.get_or_try_init(|| make().map(|value| Box::new(PerProcess::new(value))))?;
        }
        Ok(&link.value)
    }

    /// The value of the current process, if there is one. Safe in a signal handler: it only reads atomics.
    pub fn existing(&self) -> Option<&Arc<T>> {
        let mut link = self;
        while link.generation != forks() {
            link = link.next.get()?;
        }
        Some(&link.value)
    }
}

impl<T> Drop for PerProcess<T> {
    /// Leaks a parent's value in the child. Its sockets belong to the parent, and another thread may have held one of its
    /// locks at the fork.
    fn drop(&mut self) {
        if self.generation != forks() {
            mem::forget(self.value.clone());
        }
    }
}

#[cfg(test)]
mod tests;
