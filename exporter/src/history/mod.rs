//! What counters of containers say over time, in the cAdvisor view.
//!
//! A page says what the kernel says at a moment. From page to page that adds up only for what is on two of them: a
//! container that came and went between is on none, and of one that has come its first page is lost. So each scraper sees
//! a container that was made since its last page with zeros first, then as it is, and of one that is gone the counters stay
//! for [`TIMES`] pages. Decision 0012 says why, and what it costs.
//!
//! [`History`] is pure: it is told what pages show ([`History::page`]), what was read of cgroups whose processes ended
//! ([`History::read`]), and when. [`Keeper`] reads.

mod endings;
mod keeper;
mod known;
mod pages;
mod scrapers;

pub use self::{
    keeper::Keeper,
    known::{TIMES, Ticket},
    pages::{Asked, Figures, History, reads, shows},
};
