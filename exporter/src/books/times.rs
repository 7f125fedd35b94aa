//! Histograms that the kernel counts in slots, and their encoding.

use metric::{Buckets, Histogram, Native};

/// Native slots: slot i ends at 2^((i − 80) / 4) s.
pub const NATIVE_SLOTS: usize = 110;
/// Classic slots: slot i ends at the bound i, the last nowhere.
pub const CLASSIC_SLOTS: usize = 18;

/// Upper bounds of the classic buckets, in seconds.
pub static BOUNDS: [f64; CLASSIC_SLOTS - 1] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Native buckets: four to each doubling.
pub const SCHEMA: i32 = 2;
/// Index of the native bucket that slot 0 is.
pub const FIRST: i32 = -80;

/// Sums of what kernel rows counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    sum_ns: u64,
    native: [u64; NATIVE_SLOTS],
    classic: [u64; CLASSIC_SLOTS],
}

impl Default for Times {
    fn default() -> Self {
        Self { sum_ns: 0, native: [0; NATIVE_SLOTS], classic: [0; CLASSIC_SLOTS] }
    }
}

impl Times {
    /// Of what was counted elsewhere: the sum, and how many in each slot.
    pub fn counted(sum_ns: u64, native: [u64; NATIVE_SLOTS], classic: [u64; CLASSIC_SLOTS]) -> Self {
        Self { sum_ns, native, classic }
    }

    /// Adds all of another.
    pub fn add(&mut self, more: &Self) {
        self.sum_ns += more.sum_ns;
        for (sum, more) in self.native.iter_mut().zip(more.native) {
            *sum += more;
        }
        for (sum, more) in self.classic.iter_mut().zip(more.classic) {
            *sum += more;
        }
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.native.iter().sum()
    }

    /// As a histogram. A row is read while the kernel adds to it, so the halves may differ by what was under way; they
    /// are made to agree.
    pub fn histogram(&self, created: f64) -> Histogram {
        let count = self.count();
        let positive = (FIRST..).zip(self.native).filter(|(_, count)| *count > 0).collect();
        let native = Native { positive, ..Native::new(SCHEMA) };
        let mut left = count;
        let mut counts = Vec::with_capacity(CLASSIC_SLOTS);
        for slot in self.classic {
            counts.push(slot.min(left));
            left -= slot.min(left);
        }
        if let Some(last) = counts.last_mut() {
            *last += left;
        }
        let classic = Buckets { bounds: &BOUNDS, counts };
        let mut histogram = Histogram::counted(self.sum_ns as f64 / 1e9, count, Some(classic), Some(native));
        histogram.created = Some(created);
        histogram
    }
}

/// The same slots, for what user space observes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slots(Times);

impl Eq for Slots {}

impl Slots {
    /// How many numbers there are in one.
    pub const NUMBERS: usize = 1 + NATIVE_SLOTS + CLASSIC_SLOTS;

    /// Adds one.
    pub fn observe(&mut self, ns: u64) {
        let seconds = ns as f64 / 1e9;
        let native = (FIRST..).take(NATIVE_SLOTS - 1).filter(|i| seconds > (f64::from(*i) / 4.0).exp2()).count();
        let classic = BOUNDS.iter().filter(|bound| seconds > **bound).count();
        let Times { sum_ns, native: slots, classic: buckets } = &mut self.0;
        *sum_ns += ns;
        for (slots, at) in [(slots.as_mut_slice(), native), (buckets.as_mut_slice(), classic)] {
            if let Some(slot) = slots.get_mut(at) {
                *slot += 1;
            }
        }
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// Their sum.
    pub fn sum_ns(&self) -> u64 {
        self.0.sum_ns
    }

    /// All that only rises: the sum, then the slots.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        [self.0.sum_ns].into_iter().chain(self.0.native).chain(self.0.classic)
    }

    /// From such numbers again.
    pub fn of(numbers: &[u64]) -> Self {
        let mut numbers = numbers.iter().copied();
        let mut times = Times { sum_ns: numbers.next().unwrap_or(0), ..Times::default() };
        for (slot, number) in times.native.iter_mut().chain(&mut times.classic).zip(numbers) {
            *slot = number;
        }
        Self(times)
    }

    /// As a histogram.
    pub fn histogram(&self, created: f64) -> Histogram {
        self.0.histogram(created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_through_numbers_and_come_back() {
        let mut slots = Slots::default();
        for ns in [950_u64, 1_000, 250_000, 1_048_576, 77_777_777, 1_000_000_000, 3_000_000_000] {
            slots.observe(ns);
        }
        assert_eq!(Slots::of(&slots.numbers().collect::<Vec<_>>()), slots);
        assert_eq!((slots.count(), slots.numbers().count()), (7, Slots::NUMBERS));
    }

    #[test]
    fn halves_that_were_read_apart_agree() {
        let (mut native, mut classic) = ([0; NATIVE_SLOTS], [0; CLASSIC_SLOTS]);
        native[3] = 5;
        (classic[0], classic[1]) = (4, 2);
        let histogram = Times::counted(0, native, classic).histogram(0.0);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.classic.unwrap().counts.iter().sum::<u64>(), 5);
    }
}
