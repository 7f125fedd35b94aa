//! What tests say of themselves: how many passed, failed and skipped.

/// How lines of passing tests begin that a person should see: what came of an abuse, and what a program may do.
const TOLD: [&str; 2] = ["abuse: ", "least privilege: "];

/// What the lines of `cargo test -- --show-output` say.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Those that skipped are among them.
    ran: usize,
    pub(crate) failed: usize,
    /// Those among them that failed first.
    second_tries: usize,
    /// Which tests skipped, and why.
    pub(crate) skips: Vec<String>,
    pub(crate) failures: Vec<String>,
    /// The test whose output follows, until it has said that it skipped.
    test: Option<String>,
    /// Whether what follows is the output of tests that passed.
    passing: bool,
}

impl Counts {
    /// Of a check that passed.
    pub(crate) fn of_one_check() -> Self {
        Self { ran: 1, ..Self::default() }
    }

    /// Of a whole output.
    pub(crate) fn of(output: &str) -> Self {
        let mut counts = Self::default();
        for line in output.lines() {
            counts.line(line);
        }
        counts
    }

    /// How many tests did what they are for.
    pub(crate) fn passed(&self) -> usize {
        self.ran.saturating_sub(self.skips.len())
    }

    /// Takes one line; whether a person should see it.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.ran += number_before(rest, " passed");
            self.failed += number_before(rest, " failed");
            self.passing = false;
            return true;
        }
        match line {
            "successes:" => self.passing = true,
            "failures:" => self.passing = false,
            _ => {}
        }
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.test = Some(name.to_owned());
            return !self.passing;
        }
        if let Some(name) = line.strip_prefix("second try passed: ") {
            self.failures.retain(|failure| failure != name);
            self.failed = self.failed.saturating_sub(1);
            self.ran += 1;
            self.second_tries += 1;
            return true;
        }
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
            return true;
        }
        if let Some(reason) = line.trim_start().strip_prefix("skipped: ").filter(|_| self.passing) {
            // A test skips once, however often it says so.
            if let Some(test) = self.test.take() {
                self.skips.push(format!("{test}: {reason}"));
            }
            return false;
        }
        if TOLD.iter().any(|begin| line.starts_with(begin)) {
            return self.passing;
        }
        !self.passing && !line.is_empty() && !line.ends_with(" ... ok")
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed(), self.failed, self.skips.len())?;
        match self.second_tries {
            0 => Ok(()),
            tries => write!(f, " ({tries} passed at the second try)"),
        }
    }
}

fn number_before(text: &str, word: &str) -> usize {
    let before = text.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 3 tests
test a ... ok
test b ... ok
test c ... FAILED

successes:

---- a stdout ----
skipped: no cgroup v2
skipped: no cgroup v2, again

---- b stdout ----
all good
abuse: much: survived

successes:
    a
    b

failures:

---- c stdout ----
skipped: not a skip, for it failed
assertion failed

failures:
    c

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";

    #[test]
    fn a_test_that_skips_is_counted_once_and_not_as_passed() {
        let mut counts = Counts::default();
        let shown: Vec<&str> = OUTPUT.lines().filter(|line| counts.line(line)).collect();
        assert_eq!((counts.passed(), counts.failed), (13, 1));
        assert_eq!(counts.skips, ["a: no cgroup v2"]);
        assert_eq!(counts.failures, ["c"]);
        assert!(shown.contains(&"assertion failed") && !shown.contains(&"all good"));
        assert!(shown.contains(&"abuse: much: survived"));
    }

    #[test]
    fn a_test_that_passes_at_the_second_try_has_passed() {
        let counts = Counts::of(&format!("{OUTPUT}second try passed: c\n"));
        assert_eq!((counts.passed(), counts.failed), (14, 0));
        assert!(counts.failures.is_empty());
        assert_eq!(counts.to_string(), "14 passed, 0 failed, 1 skipped (1 passed at the second try)");
    }
}
