//! The committed headers are what cbindgen makes of the code.
//!
//! Needs the feature `header`: `cargo test --features header --test header`. `make header` brings them up to date.

use std::fs;
use std::path::Path;

fn assert_current(made: &str, committed: &str) {
    let made = fs::read_to_string(Path::new(env!("UE_HEADERS")).join(made)).expect("build.rs made it");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(committed);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(made == kept, "{committed} is not what the code says: run `make header` and commit it");
}

#[test]
fn the_c_header_is_current() {
    assert_current("userengage.h", "include/userengage.h");
}

#[test]
fn the_php_header_is_current() {
    assert_current("userengage.ffi.h", "bindings/php/src/userengage.ffi.h");
}
