//! The command line of a recipe, read by clap: what it takes is declared, and what is wrong is said with a suggestion.

use std::collections::VecDeque;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};

/// A command line that the recipe does not understand; ends the program with status 2.
#[derive(Debug)]
pub(crate) struct BadUsage(String);

impl std::fmt::Display for BadUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadUsage {}

/// What a recipe takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// Nothing.
    Nothing,
    /// These options, each with the name of its value (empty: a switch), and words that are called so (empty: none).
    Options(&'static [(&'static str, &'static str)], &'static str),
    /// All that follows, since other programs are called with it. The text says what it may be.
    Anything(&'static str),
}

impl Takes {
    /// The command of a recipe that takes this.
    pub(crate) fn command(self, name: &'static str, about: &'static str) -> Command {
        let command = Command::new(name).about(about);
        let words = Arg::new(WORDS).num_args(0..).action(ArgAction::Append);
        match self {
            Self::Nothing => command,
            Self::Options(options, called) => {
                let options = options.iter().map(|(name, value)| {
                    let arg = Arg::new(*name).long(name.trim_start_matches('-'));
                    if value.is_empty() {
                        arg.action(ArgAction::SetTrue)
                    } else {
                        arg.action(ArgAction::Append).value_name(*value)
                    }
                });
                let command = command.args(options);
                if called.is_empty() { command } else { command.arg(words.value_name(called)) }
            }
            Self::Anything(usage) => {
                let words = words.trailing_var_arg(true).allow_hyphen_values(true).value_name("ARGS");
                command.arg(words).after_help(usage)
            }
        }
    }
}

const WORDS: &str = "words";

/// What was given and is not used yet: options with their values, and words in order.
#[derive(Debug, Default)]
pub(crate) struct Args {
    given: Vec<(String, Option<String>)>,
    words: VecDeque<String>,
}

impl Args {
    /// What clap found.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let mut args = Self::default();
        for id in matches.ids().map(clap::Id::as_str) {
            if matches.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            if let Ok(Some(values)) = matches.try_get_many::<String>(id) {
                let values = values.cloned();
                if id == WORDS {
                    args.words.extend(values);
                } else {
                    args.given.extend(values.map(|value| (id.to_owned(), Some(value))));
                }
            } else {
                args.given.push((id.to_owned(), None));
            }
        }
        args
    }

    /// Takes the first word.
    pub(crate) fn positional(&mut self) -> Option<String> {
        self.words.pop_front()
    }

    /// Takes the first word if it is this one.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        self.words.pop_front_if(|first| first == word).is_some()
    }

    /// Takes `--name`.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        if let Some(at) = self.given.iter().position(|(given, _)| given == name) {
            self.given.remove(at);
            return true;
        }
        let at = self.words.iter().position(|word| word == name);
        at.and_then(|at| self.words.remove(at)).is_some()
    }

    /// Takes `--name=value` or `--name value`.
    pub(crate) fn option(&mut self, name: &str) -> Result<Option<String>> {
        if let Some(at) = self.given.iter().position(|(given, _)| given == name) {
            return Ok(self.given.remove(at).1);
        }
        let prefix = format!("{name}=");
        for at in 0..self.words.len() {
            let word = self.words.get(at).map(String::as_str).unwrap_or_default();
            if let Some(value) = word.strip_prefix(&prefix) {
                let value = value.to_owned();
                self.words.remove(at);
                return Ok(Some(value));
            }
            if word == name {
                self.words.remove(at);
                let value = self.words.remove(at).ok_or_else(|| BadUsage(format!("{name} needs a value")))?;
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
        self.words.drain(..).collect()
    }

    /// Refuses what nothing took.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let unused = self.given.first().map(|(name, _)| name).or(self.words.front());
        unused.map_or(Ok(()), |word| Err(usage(format!("unexpected argument {word:?}"))))
    }
}

/// An error that says how the command line is wrong.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    BadUsage(message.into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: Takes = Takes::Options(&[("--a", "VALUE"), ("--keep", "")], "VERB");

    fn args(takes: Takes, words: &[&str]) -> Args {
        let words = std::iter::once("recipe").chain(words.iter().copied());
        Args::of(&takes.command("recipe", "a test").try_get_matches_from(words).unwrap())
    }

    #[test]
    fn options_are_found_anywhere_and_both_ways() {
        for takes in [RECIPE, Takes::Anything("")] {
            let mut args = args(takes, &["up", "--a=1", "x", "--a", "2", "--keep"]);
            assert_eq!(args.options("--a").unwrap(), ["1", "2"]);
            assert!(args.flag("--keep") && !args.flag("--keep"));
            assert_eq!(args.positional().as_deref(), Some("up"));
            assert!(args.finish().unwrap_err().is::<BadUsage>());
            assert_eq!(args.rest(), ["x"]);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_was_meant() {
        let wrong = |words: &[&str]| {
            let words = std::iter::once("recipe").chain(words.iter().copied());
            RECIPE.command("recipe", "a test").try_get_matches_from(words).unwrap_err().to_string()
        };
        assert!(wrong(&["--kep"]).contains("--keep"));
        assert!(wrong(&["--a"]).contains("value is required"));
        assert!(args(Takes::Anything(""), &["x", "--a"]).option("--a").unwrap_err().is::<BadUsage>());
    }

    #[test]
    fn an_option_that_its_verb_does_not_take_is_refused() {
        assert!(args(RECIPE, &["up", "--keep"]).finish().unwrap_err().to_string().contains("--keep"));
    }
}
