//! The C API. Each entry point has a few lines: it reads its arguments with `input`, calls the client and returns a
//! `result`. `structs` reads and writes structs of any version of the header.
//!
//! The doc comments here become the text of the header, which states what a caller must ensure.
#![allow(unsafe_code, clippy::missing_safety_doc, non_camel_case_types)]

mod cancel;
mod client;
mod constants;
mod input;
mod queue;
mod result;
mod structs;
mod types;
