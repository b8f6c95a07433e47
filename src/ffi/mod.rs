//! The C API, and the only unsafe code: entry points of a few lines, and `convert` with every cast.
//!
//! What a caller must keep to stands in the header, once: its text is made from the comments here.
#![allow(unsafe_code, clippy::missing_safety_doc)]

mod client;
mod convert;
pub(crate) mod guard;
mod result;
pub(crate) mod sys;
mod types;
