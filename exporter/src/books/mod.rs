//! The agent's accounts of what containers used: who owns it ([`ledger`]), what other features counted of the same
//! cgroups ([`sums`], [`times`]). Pure: told what the kernel says, and the time.

pub mod ledger;
pub mod moment;
mod owner;
pub mod sums;
pub mod times;
pub mod usage;
