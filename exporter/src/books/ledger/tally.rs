//! What other features count by cgroup and keep on the books.

/// What other features count by cgroup and keep on the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Processes killed because memory ran out.
    OomKills,
    /// Programs started.
    Execs,
    /// Memory that those processes had which were killed because memory ran out, in pages.
    OomPages,
}

/// How many kinds of [`Tally`] there are.
pub const TALLIES: usize = 3;

/// What the two numbers are that a feature's map has for a cgroup.
pub type Columns = [Option<Tally>; 2];

/// One number a [`Tally`].
pub type Tallies = [u64; TALLIES];

const _: () = assert!(Tally::OomPages as usize + 1 == TALLIES);
