use std::cell::Cell;

use super::*;

/// A value that a process made `ago` forks before this one.
fn made(value: String, ago: u64) -> PerProcess<String> {
    PerProcess { generation: forks().wrapping_sub(ago), value: Arc::new(value), next: OnceBox::new() }
}

/// The value of this process; where it has none, it makes `make`. Nothing can be made of an empty one.
fn get<'a>(values: &'a PerProcess<String>, make: &str) -> Result<&'a str, ()> {
    values.current(|| if make.is_empty() { Err(()) } else { Ok(make.to_owned()) }).map(|value| value.as_str())
}

#[test]
fn the_process_that_made_a_value_keeps_it() {
    let values = PerProcess::new("the first".to_owned());
    assert_eq!(get(&values, "another"), Ok("the first"));
    assert_eq!(**values.existing().unwrap(), "the first");
}

#[test]
fn a_child_makes_its_own_value_once_on_its_first_use() {
    let (values, count) = (made("the parent's".into(), 1), Cell::new(0));
    assert!(values.existing().is_none());
    for _ in 0..2 {
        let value = values.current(|| {
            count.set(count.get() + 1);
            Ok::<_, ()>("the child's".to_owned())
        });
        assert_eq!(**value.unwrap(), "the child's");
    }
    assert_eq!(count.get(), 1);
    assert_eq!(**values.existing().unwrap(), "the child's");
}

#[test]
fn a_grandchild_finds_its_own_value_whether_or_not_its_parent_used_it() {
    let unused = made("the grandparent's".into(), 2);
    assert_eq!(get(&unused, "its own"), Ok("its own"));
    let used = made("the grandparent's".into(), 2);
    assert!(used.next.set(Box::new(made("the parent's".into(), 1))).is_ok());
    assert_eq!(get(&used, "its own"), Ok("its own"));
    assert_eq!(**used.existing().unwrap(), "its own");
}

#[test]
fn where_no_value_can_be_made_the_next_use_tries_again() {
    let values = made("the parent's".into(), 1);
    assert_eq!(get(&values, ""), Err(()));
    assert_eq!(get(&values, "the second try"), Ok("the second try"));
}

#[test]
fn dropping_frees_the_value_of_this_process_and_never_that_of_its_parent() {
    let values = made("the parent's".into(), 1);
    assert!(values.next.set(Box::new(PerProcess::new("its own".to_owned()))).is_ok());
    let (parents, own) = (values.value.clone(), values.existing().unwrap().clone());
    drop(values);
    assert_eq!((Arc::strong_count(&parents), Arc::strong_count(&own)), (2, 1));
}
