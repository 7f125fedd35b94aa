//! What a machine may do to the agent: files that are broken, names that are hostile, a tree that changes under its
//! hands, and no memory, no descriptors, no disk, no time. It stays up, and serves the rest. One line each.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and reports by printing"
)]

#[path = "../machine/mod.rs"]
mod machine;

mod files;
mod many;
mod names;
mod process;

/// Reports an abuse that was survived.
fn survived(what: &str, how: &str) {
    println!("abuse: {what}: {how}");
}
