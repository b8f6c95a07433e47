//! The C API: entry points of a few lines over `input` (what comes in), `result` (what goes out) and `structs`.
//!
//! What a caller must keep to stands in the header, once: its text is made from the comments here.
#![allow(unsafe_code, clippy::missing_safety_doc, non_camel_case_types)]

mod client;
mod input;
mod result;
mod structs;
mod types;
