//! Waits for a condition with a deadline instead of sleeping.

use std::time::{Duration, Instant};

/// Asks until there is an answer or the time is up; longer by the factor `YAGURA_PATIENCE` where all is slow, as in an
/// emulated machine.
pub fn wait_for<T>(within: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within * patience();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The factor by which tests wait longer than on a real machine: `YAGURA_PATIENCE`, which emulated machines set.
pub fn patience() -> u32 {
    crate::given::given("YAGURA_PATIENCE").and_then(|factor| factor.parse().ok()).unwrap_or(1)
}
