//! The agent's accounts of what containers used: who owns it ([`ledger`]), and what other features counted of the same
//! cgroups ([`sums`], [`times`]). All of these are pure: they are told what the kernel says, and the time. [`Books`] is
//! what features share.

mod access;
pub mod ledger;
pub mod moment;
mod owner;
pub mod sums;
pub mod times;
pub mod usage;

pub use self::access::{Books, Follower, Owners};
