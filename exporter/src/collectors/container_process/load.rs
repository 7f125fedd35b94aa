//! A moving average of thread counts, as cAdvisor's load reader computes it: each reading weighs `1 - e^(-t/10s)`, where
//! `t` is the time since the last. It is corrected for the interval of the scrapes: with one each 15 s the last reading
//! weighs 78 %, with one each second 10 %.

/// Seconds after which an older reading weighs 1/e.
const WINDOW: f64 = 10.0;

/// Averages of one cgroup, in thousandths of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    pub(super) running: f64,
    pub(super) uninterruptible: f64,
    at: Option<f64>,
}

impl Load {
    /// Takes in a reading at a time in seconds. The first is the average.
    pub(super) fn take(&mut self, running: u64, uninterruptible: u64, now: f64) {
        let old = match self.at {
            Some(at) => (-(now - at).max(0.0) / WINDOW).exp(),
            None => 0.0,
        };
        let mix = |average: f64, reading: u64| average * old + 1000.0 * reading as f64 * (1.0 - old);
        self.running = mix(self.running, running);
        self.uninterruptible = mix(self.uninterruptible, uninterruptible);
        self.at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_the_scrapes_does_not_change_the_average() {
        let (mut often, mut seldom) = (Load::default(), Load::default());
        for load in [&mut often, &mut seldom] {
            load.take(2, 0, 0.0);
        }
        for second in 1..=20 {
            often.take(0, 1, f64::from(second));
        }
        seldom.take(0, 1, 20.0);
        assert!((often.running - seldom.running).abs() < 1e-6, "{often:?} {seldom:?}");
        assert!((often.uninterruptible - 1000.0 * (1.0 - (-2.0_f64).exp())).abs() < 1e-6, "{often:?}");
    }
}
