use std::sync::Arc;
use std::thread;

use super::*;

/// A value that tells when it is dropped: the count of the `Arc` falls to 1.
fn owner() -> (Owner<Arc<()>>, Arc<()>) {
    let value = Arc::new(());
    (Owner::new(value.clone()), value)
}

fn is_alive(value: &Arc<()>) -> bool {
    Arc::strong_count(value) > 1
}

/// A lease as it is in the child of a fork: of another generation.
fn of_the_parent(lease: Lease<Arc<()>>) -> Lease<Arc<()>> {
    let mut lease = lease;
    lease.forks = lease.forks.wrapping_sub(1);
    lease
}

#[test]
fn a_value_lives_as_long_as_its_last_pointer_whichever_that_is() {
    let (first, value) = owner();
    let (second, lease) = (first.clone(), first.lease());
    drop(first);
    let other = lease.clone();
    drop(second);
    drop(lease);
    assert!(is_alive(&value) && Arc::ptr_eq(&other, &value));
    drop(other);
    assert!(!is_alive(&value));
}

#[test]
fn a_lease_of_the_parent_drops_nothing_and_its_clone_is_one_of_this_process() {
    let (owner, value) = owner();
    // In a real child the count of the parent's leases is not counted at all: see the test of the counts.
    let parents = of_the_parent(Lease { pointer: owner.0.copy(), forks: forks() });
    let own = parents.clone();
    drop(parents);
    drop(owner);
    assert!(is_alive(&value));
    drop(own);
    assert!(!is_alive(&value));
}

#[test]
fn leases_of_another_generation_do_not_count_and_owners_do() {
    let counts = |generation| Counts { owners: 2, leases: 7, generation }.pack();
    let own = Counts::unpack(counts(forks() & GENERATION));
    assert_eq!((own.owners, own.leases), (2, 7));
    let parents = Counts::unpack(counts(forks().wrapping_sub(1) & GENERATION));
    assert_eq!((parents.owners, parents.leases), (2, 0));
}

#[test]
fn pointers_may_be_cloned_and_dropped_by_many_threads_at_once() {
    let (owner, value) = owner();
    thread::scope(|threads| {
        for _ in 0..8 {
            let (owner, lease) = (owner.clone(), owner.lease());
            threads.spawn(move || {
                for _ in 0..10_000 {
                    drop((owner.clone(), lease.clone(), owner.lease()));
                }
            });
        }
    });
    assert!(is_alive(&value));
    drop(owner);
    assert!(!is_alive(&value));
}
