//! A moment, on both clocks.

use std::time::SystemTime;

use rustix::time::{ClockId, clock_gettime};

/// A moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The monotonic clock, in ns, which the kernel's rows use.
    pub mono_ns: u64,
    /// Seconds since the Unix epoch.
    pub wall: f64,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let mono = clock_gettime(ClockId::Monotonic);
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let seconds = u64::try_from(mono.tv_sec).unwrap_or(0);
        Self { mono_ns: seconds * 1_000_000_000 + u64::try_from(mono.tv_nsec).unwrap_or(0), wall }
    }

    /// The time of day of a reading of the monotonic clock.
    pub fn wall_at(self, mono_ns: u64) -> f64 {
        self.wall - (self.mono_ns as f64 - mono_ns as f64) / 1e9
    }
}
