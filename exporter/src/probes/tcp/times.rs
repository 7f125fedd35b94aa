//! Distributions that the kernel counts in slots, and what they look like on the wire.

use metric::{Buckets, Histogram, Native};

use super::wire::{CLASSIC_SLOTS, NATIVE_SLOTS, RawTimes};

/// Upper bounds of the classic buckets, in seconds.
pub(super) static BOUNDS: [f64; CLASSIC_SLOTS - 1] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Native buckets: four to each doubling; slot 0 is this one.
const SCHEMA: i32 = 2;
const FIRST: i32 = -80;

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
    /// Adds what came to a row since an earlier reading of it.
    pub fn add_since(&mut self, now: &RawTimes, earlier: &RawTimes) {
        self.sum_ns += now.sum_ns.wrapping_sub(earlier.sum_ns);
        for ((sum, now), earlier) in self.native.iter_mut().zip(now.native).zip(earlier.native) {
            *sum += u64::from(now.wrapping_sub(earlier));
        }
        for ((sum, now), earlier) in self.classic.iter_mut().zip(now.classic).zip(earlier.classic) {
            *sum += u64::from(now.wrapping_sub(earlier));
        }
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

    /// How many were observed.
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

    /// How many were observed.
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

    /// Numbers of a table in the C program.
    fn table(name: &str) -> Vec<u64> {
        let source = include_str!("tcp.bpf.c");
        let start = source.find(&format!("{name}[")).unwrap();
        let body = source.get(start..).unwrap().split_once("{\n").unwrap().1.split_once('}').unwrap().0;
        body.split(',').filter_map(|word| word.trim().parse().ok()).collect()
    }

    #[test]
    fn the_program_has_the_same_edges() {
        let native: Vec<u64> =
            (FIRST..).take(NATIVE_SLOTS - 1).map(|i| (f64::from(i) / 4.0).exp2() * 1e9).map(whole).collect();
        assert_eq!(table("native_edges"), native);
        let classic: Vec<u64> = BOUNDS.iter().map(|bound| whole((bound * 1e9).round())).collect();
        assert_eq!(table("classic_edges"), classic);
    }

    fn whole(number: f64) -> u64 {
        number.to_string().split('.').next().unwrap().parse().unwrap()
    }

    #[test]
    fn slots_are_the_buckets_of_the_same_observations() {
        let mut times = Times::default();
        let mut raw = RawTimes::default();
        let mut truth = Histogram::new(&BOUNDS, SCHEMA);
        for ns in [950_u64, 1_000, 250_000, 1_048_576, 77_777_777, 1_000_000_000, 3_000_000_000] {
            truth.observe(ns as f64 / 1e9);
            let slot = |edges: Vec<u64>| edges.iter().filter(|edge| ns > **edge).count();
            raw.native[slot(table("native_edges"))] += 1;
            raw.classic[slot(table("classic_edges"))] += 1;
            raw.sum_ns += ns;
        }
        times.add_since(&raw, &RawTimes::default());
        let histogram = times.histogram(1.0);
        let mut slots = Slots::default();
        for ns in [950_u64, 1_000, 250_000, 1_048_576, 77_777_777, 1_000_000_000, 3_000_000_000] {
            slots.observe(ns);
        }
        assert_eq!(slots, Slots(times));
        assert_eq!(Slots::of(&slots.numbers().collect::<Vec<_>>()), slots);
        assert_eq!(histogram.count(), truth.count());
        assert_eq!(histogram.classic, truth.classic);
        let (mut ours, mut theirs) = (histogram.native.unwrap().positive, truth.native.unwrap().positive);
        // What is shorter than the first slot's end is in the first slot.
        assert_eq!(ours.remove(0), (FIRST, 1));
        theirs.remove(0);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn halves_that_were_read_apart_agree() {
        let mut raw = RawTimes::default();
        raw.native[3] = 5;
        raw.classic[0] = 4;
        raw.classic[1] = 2;
        let mut times = Times::default();
        times.add_since(&raw, &RawTimes::default());
        let histogram = times.histogram(0.0);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.classic.unwrap().counts.iter().sum::<u64>(), 5);
    }
}
