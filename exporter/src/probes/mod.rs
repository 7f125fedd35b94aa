//! eBPF probes: one object per feature, compiled from the `*.bpf.c` beside it.
//!
//! A feature that this machine cannot have is off with a reason; the others work. [`ALL`] is where they are registered;
//! a slice's `build` gets what it starts through a [`running::Running`], so that a reload does not load it twice.

pub mod dns;
pub mod drops;
pub mod exec;
pub mod health;
pub mod iterators;
pub mod lifetime;
pub mod object;
pub mod oom;
pub mod packets;
pub mod pump;
mod reason;
pub mod running;
pub mod runqueue;
pub mod tally;
pub mod tcp;
mod telling;
pub mod udp;

use crate::spec::Spec;

/// Every feature, in the order in which their families are shown. Those that share `lifetime`'s books follow it.
pub static ALL: &[&Spec] = &[
    &lifetime::SPEC,
    &oom::SPEC,
    &exec::SPEC,
    &tcp::SPEC,
    &tcp::PEERS,
    &tcp::CONTAINER_PEERS,
    &tcp::CONNECTIONS,
    &udp::SPEC,
    &dns::SPEC,
    &drops::SPEC,
    &runqueue::SPEC,
    &health::SPEC,
];
