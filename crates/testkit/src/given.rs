//! Options of tests, which are variables of the environment.

/// A variable of the environment that says what tests, benchmarks and proofs are to use.
pub fn given(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
