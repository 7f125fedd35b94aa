//! Events of containers, one by one, for those who follow them.
//!
//! A probe produces a stream of one type of event; consumers (the files of [`lines`], slices) follow it. Both get the
//! streams through [`Feeds`]. A producer sends records from the kernel only while somebody follows, or a slice which is
//! switched on listens: that is declared in its `Spec`, since it may be built later. [`Feeds`] tells the producer when that
//! changes, as a reload and a new follower do.
//! Producers never wait: an event that finds a follower's queue full is dropped for that follower and counted.

pub mod feeds;
pub mod flow;
pub mod life;
pub mod lines;
pub mod started;
pub mod stream;
pub mod whose;

pub use self::feeds::{Event, Feeds, Kind, Producer};
