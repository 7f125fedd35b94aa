//! The command line of a recipe: options anywhere, then positional words.

use std::collections::VecDeque;

use anyhow::Result;

/// A command line that the recipe does not understand; ends the program with status 2.
#[derive(Debug)]
pub(crate) struct BadUsage(String);

impl std::fmt::Display for BadUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadUsage {}

/// The words that are not used yet, in order.
#[derive(Debug, Default)]
pub(crate) struct Args(VecDeque<String>);

impl Args {
    /// The words after the program's name.
    pub(crate) fn from_env() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes the first word, option or not.
    pub(crate) fn positional(&mut self) -> Option<String> {
        self.0.pop_front()
    }

    /// Takes `--name` wherever it stands.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|word| word == name);
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    /// Takes `--name=value` or `--name value` wherever it stands.
    pub(crate) fn option(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        for at in 0..self.0.len() {
            let word = self.0.get(at).map(String::as_str).unwrap_or_default();
            if let Some(value) = word.strip_prefix(&prefix) {
                let value = value.to_owned();
                self.0.remove(at);
                return Ok(Some(value));
            }
            if word == name {
                self.0.remove(at);
                let value = self.0.remove(at).ok_or_else(|| BadUsage(format!("{name} needs a value")))?;
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Takes every `--name=value`.
    pub(crate) fn options(&mut self, name: &str) -> Result<Vec<String>> {
        let mut all = Vec::new();
        while let Some(value) = self.option(name)? {
            all.push(value);
        }
        Ok(all)
    }

    /// Takes all that is left, for a program that is called with it.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.0.drain(..).collect()
    }

    /// Refuses what nothing took.
    pub(crate) fn finish(&mut self) -> Result<()> {
        match self.0.front() {
            None => Ok(()),
            Some(word) => Err(usage(format!("unexpected argument {word:?}"))),
        }
    }
}

/// An error that says how the command line is wrong.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    BadUsage(message.into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Args {
        Args(words.iter().map(|&w| w.to_owned()).collect())
    }

    #[test]
    fn options_are_found_anywhere_and_both_ways() {
        let mut args = args(&["up", "--a=1", "x", "--a", "2", "--keep"]);
        assert_eq!(args.options("--a").unwrap(), ["1", "2"]);
        assert!(args.flag("--keep") && !args.flag("--keep"));
        assert_eq!(args.positional().as_deref(), Some("up"));
        assert!(args.finish().unwrap_err().is::<BadUsage>());
        assert_eq!(args.rest(), ["x"]);
    }

    #[test]
    fn an_option_without_its_value_is_bad_usage() {
        assert!(args(&["--a"]).option("--a").unwrap_err().is::<BadUsage>());
    }
}
