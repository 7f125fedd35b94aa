//! `cpu.pressure`, `memory.pressure`, `io.pressure`, and `/proc/pressure/*`.
//!
//! (accounting/psi.rst; `total` in microseconds)
//! ```text
//! some avg10=0.29 avg60=0.06 avg300=0.01 total=50471
//! full avg10=0.29 avg60=0.06 avg300=0.01 total=50471
//! ```
//! `full` of CPU is there since Linux 5.13; `irq` (Linux 6.1) has `full` only. The averages are left out: they are
//! rates of the totals over windows that somebody else chose.

use kernfs::text;
use metric::{Micros, Seconds};

/// How long tasks waited for one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pressure {
    /// At least one task waited.
    pub(super) some: Option<Seconds>,
    /// No task could go on.
    pub(super) full: Option<Seconds>,
}

/// Nanoseconds that some tasks waited and that all did, as the kernel keeps them; a file shows whole microseconds.
impl From<[u64; 2]> for Pressure {
    fn from([some, full]: [u64; 2]) -> Self {
        let seconds = |ns: u64| Some(Micros(ns / 1000).into());
        Self { some: seconds(some), full: seconds(full) }
    }
}

/// A pressure file.
pub(super) fn pressure(file: &[u8]) -> Pressure {
    let mut pressure = Pressure::default();
    for line in text::lines(file) {
        let mut words = text::words(line);
        let kind = words.next();
        let total = words.find_map(|word| word.strip_prefix(b"total=")).and_then(text::number);
        let total = total.map(|micros| Micros(micros).into());
        match kind {
            Some(b"some") => pressure.some = total,
            Some(b"full") => pressure.full = total,
            _ => {}
        }
    }
    pressure
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn totals_are_microseconds_and_either_line_may_lack() {
        let both = pressure(b"some avg10=0.29 avg60=0.06 avg300=0.01 total=50471\nfull avg10=0.00 total=7\n");
        assert_eq!(both, Pressure { some: Some(Seconds(0.050_471)), full: Some(Seconds(0.000_007)) });
        assert_eq!(pressure(b"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n").some, None);
        assert_eq!(pressure(b"some avg10=0.00\n"), Pressure::default());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = pressure(&bytes);
        }
    }
}
