//! What samples look like, by their time.

/// What the samples of a series look like. A sample depends on its time and its target alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Always this.
    Constant(f64),
    /// Rises by so much a second, in whole steps of a unit.
    Counter {
        /// What it rises by in a second.
        per_second: f64,
        /// What it rises by at least.
        unit: f64,
    },
    /// Goes up and down around a middle, by a tenth of it, in whole steps of a unit.
    Gauge {
        /// The middle.
        middle: f64,
        /// What it changes by at least.
        unit: f64,
    },
}

/// Counters begin anew after so long, so that they have no more digits than real ones.
const LIFE_MS: i64 = 360 * 24 * 3_600_000;

impl Shape {
    /// The sample at a time in milliseconds of a series of that target.
    pub(crate) fn at(self, time: i64, target: u64) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Counter { per_second, unit } => {
                // By chance up to half a minute ahead, so that it rises by another amount each time, and never falls where
                // samples are half a minute apart.
                let seconds = (time % LIFE_MS) as f64 / 1e3 + 30.0 * chance(time.cast_unsigned() ^ target);
                (per_second * seconds / unit).floor() * unit
            }
            Self::Gauge { middle, unit } => {
                (middle * (0.9 + 0.2 * chance(time.cast_unsigned() ^ target)) / unit).floor() * unit
            }
        }
    }
}

/// A number between 0 and 1 that looks like one by chance: splitmix64.
fn chance(seed: u64) -> f64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_rise() {
        let shape = Shape::Counter { per_second: 3.0, unit: 1.0 };
        let values: Vec<f64> = (0..1000).map(|at| shape.at(1_700_000_000_000 + 30_000 * at, 7)).collect();
        assert!(values.windows(2).all(|two| two[0] <= two[1]));
    }
}
