use std::cell::Cell;

use super::*;

/// A value that a process made `ago` forks before this one.
fn made(value: &'static str, ago: u64) -> PerProcess<&'static str> {
    PerProcess { generation: forks().wrapping_sub(ago), value: Arc::new(value), next: OnceBox::new() }
}

fn get<'a>(values: &'a PerProcess<&'static str>, make: &'static str) -> Result<&'a Arc<&'static str>, &'static str> {
    values.current(|| if make.is_empty() { Err("nothing can be made") } else { Ok(make) })
}

#[test]
fn the_process_that_made_a_value_keeps_it() {
    let values = PerProcess::new("the first");
    assert_eq!(**get(&values, "another").unwrap(), "the first");
    assert_eq!(**values.existing().unwrap(), "the first");
}

#[test]
fn a_child_makes_its_own_value_once_on_its_first_use() {
    let values = made("the parent's", 1);
    assert!(values.existing().is_none());
    let count = Cell::new(0);
    for _ in 0..2 {
        let value = values.current(|| {
            count.set(count.get() + 1);
            Ok::<_, ()>("the child's")
        });
        assert_eq!(**value.unwrap(), "the child's");
    }
    assert_eq!(count.get(), 1);
    assert_eq!(**values.existing().unwrap(), "the child's");
}

#[test]
fn a_grandchild_finds_its_own_value_whether_or_not_its_parent_used_it() {
    let unused = made("the grandparent's", 2);
    assert_eq!(**get(&unused, "its own").unwrap(), "its own");
    let used = made("the grandparent's", 2);
    assert!(used.next.set(Box::new(made("the parent's", 1))).is_ok());
    assert_eq!(**get(&used, "its own").unwrap(), "its own");
    assert_eq!(**used.existing().unwrap(), "its own");
}

#[test]
fn where_no_value_can_be_made_the_next_use_tries_again() {
    let values = made("the parent's", 1);
    assert_eq!(get(&values, "").unwrap_err(), "nothing can be made");
    assert_eq!(**get(&values, "the second try").unwrap(), "the second try");
}

#[test]
fn dropping_frees_the_value_of_this_process_and_never_that_of_its_parent() {
    let (parents, own) = (Arc::new("the parent's"), Arc::new("its own"));
    let values = PerProcess { generation: forks().wrapping_sub(1), value: parents.clone(), next: OnceBox::new() };
    let link = PerProcess { generation: forks(), value: own.clone(), next: OnceBox::new() };
    assert!(values.next.set(Box::new(link)).is_ok());
    drop(values);
    assert_eq!((Arc::strong_count(&parents), Arc::strong_count(&own)), (2, 1));
}
