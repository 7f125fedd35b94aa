//! The command line. Merges flags, environment, file and defaults into one configuration.
//!
//! A program declares its configuration once, as a serde struct with a JSON schema. Each scalar in it, and each list of
//! scalars, is also a flag: `web.listen_address` is `--web.listen-address`. A flag wins over the environment, which
//! wins over the file, which wins over the default. A field with `#[schemars(extend("x-env" = "NODE_NAME"))]` has an
//! environment variable, one with `extend("x-flag" = false)` has no flag.

use std::{
    ffi::OsString,
    io::Write as _,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, parser::ValueSource};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    changes::Changes,
    invalid::Invalid,
    program::Program,
    schema::{self, Knob, Shape},
    suggest::suggested,
    yaml::{self, ConfigError},
};

/// A configuration as it is written: what [`Cli`] can make flags of.
pub trait Settings: DeserializeOwned + Serialize + JsonSchema + Default {}

impl<T: DeserializeOwned + Serialize + JsonSchema + Default> Settings for T {}

/// The command line of a program whose configuration is a `T`.
#[derive(Debug)]
pub struct Cli<T> {
    program: &'static Program,
    command: Command,
    knobs: Vec<Knob>,
    check: fn(&T) -> Result<(), Invalid>,
    renamed: Renamed,
    switches: Vec<String>,
    settings: PhantomData<fn() -> T>,
}

/// Options that have another name now: the old key, the new one.
type Renamed = &'static [(&'static str, &'static str)];

/// A configuration, and where it came from.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The configuration, merged of flags, environment, file and defaults.
    pub config: T,
    /// The program's own flags.
    pub matches: ArgMatches,
    source: Source<T>,
}

/// The source of a configuration, to read it again.
#[derive(Debug)]
pub struct Source<T> {
    file: Option<PathBuf>,
    overrides: Vec<Override>,
    knobs: Arc<[Knob]>,
    check: fn(&T) -> Result<(), Invalid>,
    renamed: Renamed,
}

// Derived, it would ask for a `T` that can be cloned.
impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        let (file, overrides, knobs) = (self.file.clone(), self.overrides.clone(), Arc::clone(&self.knobs));
        Self { file, overrides, knobs, check: self.check, renamed: self.renamed }
    }
}

#[derive(Clone, Debug)]
struct Override {
    key: String,
    /// `--web.max-requests` or the variable's name, for errors.
    said_by: String,
    value: Value,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A flag or variable is wrong.
    #[error("{said_by}: {what}")]
    Override {
        /// Flag or variable.
        said_by: String,
        /// The problem.
        what: String,
    },
    /// The whole does not make sense.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl<T: Settings> Cli<T> {
    /// The command line with a flag for each option of `T`, `--config.*`, `--version` and `--help`.
    pub fn new(program: &'static Program) -> Self {
        let (knobs, _) = schema::knobs::<T>();
        let mut command =
            Command::new(program.name).about(program.about).version(program.long_version()).args(config_args());
        for knob in &knobs {
            command = command.args(flags(knob));
        }
        Self { program, command, knobs, check: |_| Ok(()), renamed: &[], switches: Vec::new(), settings: PhantomData }
    }

    /// Adds a flag of the program's own, such as `--print-catalog`.
    #[must_use]
    pub fn arg(mut self, arg: Arg) -> Self {
        self.command = self.command.arg(arg);
        self
    }

    /// Adds text below the options of `--help`.
    #[must_use]
    pub fn after_help(mut self, text: String) -> Self {
        self.command = self.command.after_help(text);
        self
    }

    /// The flags of options, with their keys.
    pub fn flags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.knobs.iter().filter_map(|knob| Some((knob.flag.as_deref()?, knob.key.as_str())))
    }

    /// The check of values beyond what the schema says of each. Errors are shown with the line of their key.
    #[must_use]
    pub fn check(mut self, check: fn(&T) -> Result<(), Invalid>) -> Self {
        self.check = check;
        self
    }

    /// Options that have another name now, old key before new. The old ones are refused, with the new name in the error.
    #[must_use]
    pub fn renamed(mut self, options: &'static [(&'static str, &'static str)]) -> Self {
        self.renamed = options;
        self
    }

    /// Flags that the program turns into others before they get here: what they are called is suggested too.
    #[must_use]
    pub fn switches(mut self, flags: impl IntoIterator<Item = String>) -> Self {
        self.switches.extend(flags);
        self
    }

    /// The configuration of this process. Ends the process after `--help`, `--version`, `--config.check` and
    /// `--config.print`, and with status 2 and one line on stderr when something is wrong.
    pub fn parse(self) -> Loaded<T> {
        self.parse_args(std::env::args_os())
    }

    /// As [`Cli::parse`], with arguments that the program has rewritten.
    pub fn parse_args(self, args: impl IntoIterator<Item = OsString>) -> Loaded<T> {
        let name = self.program.name;
        #[expect(clippy::disallowed_methods, reason = "the place that the lint names")]
        let loaded = self.parse_from(args, |name| std::env::var(name).ok());
        match loaded {
            Ok(loaded) => {
                loaded.answer_and_exit();
                loaded
            }
            Err(CliError::Usage(error)) => error.exit(),
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{name}: {error}");
                std::process::exit(2);
            }
        }
    }

    /// The configuration of a process with these arguments (the first is its name) and environment.
    pub fn parse_from(
        self,
        args: impl IntoIterator<Item = OsString>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Loaded<T>, CliError> {
        let args: Vec<OsString> = args.into_iter().collect();
        refuse_renamed(self.renamed, &args)?;
        let matches = self.command.clone().try_get_matches_from(args);
        let matches = matches.map_err(|error| suggested(error, &self.command, &self.switches))?;
        let mut overrides = Vec::new();
        for knob in &self.knobs {
            overrides.extend(from_environment(knob, &env)?);
            overrides.extend(from_flag(knob, &matches)?);
        }
        let file = matches.get_one::<PathBuf>("config.file").cloned();
        let source = Source { file, overrides, knobs: self.knobs.into(), check: self.check, renamed: self.renamed };
        Ok(Loaded { config: source.load()?, matches, source })
    }
}

impl<T: Settings> Loaded<T> {
    /// The source, to read the configuration again on reload.
    pub fn source(&self) -> &Source<T> {
        &self.source
    }

    fn answer_and_exit(&self) {
        let answer = if self.matches.get_flag("config.check") {
            match &self.source.file {
                Some(file) => format!("{}: the configuration is valid\n", file.display()),
                None => "the configuration is valid\n".to_owned(),
            }
        } else if self.matches.get_flag("config.print") {
            print(&self.config)
        } else {
            return;
        };
        let written = std::io::stdout().write_all(answer.as_bytes());
        std::process::exit(i32::from(written.is_err()));
    }
}

impl<T: Settings> Source<T> {
    /// The file, if one was named.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Options whose values differ: those that take effect at once between `current` and `new`, those that wait for a
    /// restart between `started` and `new`.
    pub fn changes(&self, started: &T, current: &T, new: &T) -> Changes {
        let [started, current, new] =
            [started, current, new].map(|config| serde_json::to_value(config).unwrap_or_default());
        let mut changes = Changes::default();
        for knob in &*self.knobs {
            let (before, of) = if knob.after_restart {
                (&started, &mut changes.after_restart)
            } else {
                (&current, &mut changes.effective)
            };
            if knob.of(before) != knob.of(&new) {
                of.push(knob.key.clone());
            }
        }
        changes
    }

    /// Reads the file again, under the same flags and environment.
    pub fn load(&self) -> Result<T, CliError> {
        let mut merged = serde_json::to_value(T::default()).unwrap_or_default();
        let text = self.file.as_deref().map(yaml::read).transpose()?;
        if let (Some(text), Some(file)) = (&text, &self.file) {
            let present: Value = yaml::parse_yaml(text, file).unwrap_or_default();
            for (old, new) in self.renamed {
                if present.pointer(&format!("/{}", old.replace('.', "/"))).is_some() {
                    return Err(ConfigError::of_key(file, text, old, format!("is called {new} now")).into());
                }
            }
            let wrong = |knob: &Knob, what| ConfigError::of_key(file, text, &knob.key, what);
            for knob in &*self.knobs {
                let Some(value) = knob.of(&present) else { continue };
                knob.check(value).map_err(|what| wrong(knob, what))?;
            }
            let typed: T = yaml::parse_yaml(text, file)?;
            let typed = serde_json::to_value(typed).unwrap_or_default();
            // JSON has no `.nan` and no `.inf`.
            let is_endless = |knob: &&Knob| {
                knob.shape == Shape::Number && !knob.optional && knob.of(&typed).is_some_and(Value::is_null)
            };
            if let Some(knob) = self.knobs.iter().find(is_endless) {
                return Err(wrong(knob, "must be a finite number".to_owned()).into());
            }
            schema::overlay(&mut merged, &present, &typed);
        }
        for over in &self.overrides {
            let knob = self.knobs.iter().find(|knob| knob.key == over.key);
            if let Some(Err(what)) = knob.map(|knob| knob.check(&over.value)) {
                return Err(CliError::Override { said_by: over.said_by.clone(), what });
            }
            schema::put(&mut merged, &over.key, over.value.clone());
            if let Err(error) = T::deserialize(&merged) {
                return Err(CliError::Override { said_by: over.said_by.clone(), what: error.to_string() });
            }
        }
        let config = T::deserialize(&merged)
            .map_err(|error| ConfigError::whole(self.file.as_deref().unwrap_or(Path::new("-")), error.to_string()))?;
        (self.check)(&config).map_err(|invalid| self.placed(invalid, text.as_deref()))?;
        Ok(config)
    }

    /// Says who set the value that is wrong.
    fn placed(&self, invalid: Invalid, text: Option<&str>) -> CliError {
        if invalid.other_file {
            return invalid.into();
        }
        if let Some(over) = self.overrides.iter().rev().find(|over| over.key == invalid.key) {
            return CliError::Override { said_by: over.said_by.clone(), what: invalid.what };
        }
        match (&self.file, text) {
            (Some(file), Some(text)) => ConfigError::of_key(file, text, &invalid.key, invalid.what).into(),
            _ => invalid.into(),
        }
    }
}

/// The flag of an option by its key.
fn dashed(key: &str) -> String {
    key.replace('_', "-")
}

fn refuse_renamed(renamed: Renamed, args: &[OsString]) -> Result<(), CliError> {
    for arg in args.iter().filter_map(|arg| arg.to_str()).take_while(|arg| *arg != "--") {
        let Some(flag) = arg.strip_prefix("--") else { continue };
        let flag = flag.split('=').next().unwrap_or_default();
        let (no, key) = flag.strip_prefix("no-").map_or(("", flag), |flag| ("no-", flag));
        let named = |(old, _): &&(&str, &str)| dashed(old) == key;
        if let Some((_, new)) = renamed.iter().find(named) {
            let what = format!("is called --{no}{} now", dashed(new));
            return Err(CliError::Override { said_by: format!("--{flag}"), what });
        }
    }
    Ok(())
}

/// The configuration as YAML, as `--config.print` shows it.
pub fn print<T: Serialize>(config: &T) -> String {
    serde_saphyr::to_string(config).unwrap_or_else(|error| format!("# cannot be printed: {error}\n"))
}

fn config_args() -> [Arg; 3] {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help).help_heading("Configuration")
    };
    [
        Arg::new("config.file")
            .long("config.file")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("YAML file with the options below; flags win over it")
            .help_heading("Configuration"),
        switch("config.check", "Check the configuration and exit: 0 valid, 2 not").conflicts_with("config.print"),
        switch("config.print", "Print the configuration that holds as YAML and exit"),
    ]
}

/// The flag of this option; a switch has its negation beside it.
fn flags(knob: &Knob) -> Vec<Arg> {
    let Some(flag) = &knob.flag else { return Vec::new() };
    let heading = knob.key.split_once('.').map_or("General", |(section, _)| section).to_owned();
    let arg = Arg::new(knob.key.clone()).long(flag.clone()).help(help(knob)).help_heading(heading);
    let text = |arg: Arg, shape: &Shape| match shape {
        Shape::Words(words) => arg.value_name("VALUE").value_parser(PossibleValuesParser::new(words.clone())),
        Shape::Integer | Shape::Number => arg.value_name("NUMBER"),
        _ if knob.format.as_deref() == Some("duration") => arg.value_name("DURATION"),
        _ => arg.value_name("VALUE"),
    };
    match &knob.shape {
        Shape::Switch => {
            let no = Arg::new(no_id(knob)).long(format!("no-{flag}")).action(ArgAction::SetTrue).hide(true);
            let yes = arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL");
            let yes = yes.value_parser(PossibleValuesParser::new(["true", "false"])).hide_possible_values(true);
            vec![yes.overrides_with(no_id(knob)), no.overrides_with(knob.key.clone())]
        }
        Shape::List(item) => vec![text(arg.action(ArgAction::Append), item)],
        shape => vec![text(arg.action(ArgAction::Set), shape)],
    }
}

fn no_id(knob: &Knob) -> String {
    format!("no {}", knob.key)
}

fn help(knob: &Knob) -> String {
    use std::fmt::Write as _;
    let mut help = knob.about.clone();
    let default = plain(&knob.default);
    if !default.is_empty() {
        let _ = write!(help, " [default: {default}]");
    }
    if let Some(env) = &knob.env {
        let _ = write!(help, " [env: {env}]");
    }
    help
}

/// A value as a person writes it on a command line; nothing for what is unset.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null | Value::Object(_) => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn from_environment(knob: &Knob, env: &impl Fn(&str) -> Option<String>) -> Result<Option<Override>, CliError> {
    let Some(name) = &knob.env else { return Ok(None) };
    let Some(text) = env(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let texts: Vec<String> = match knob.shape {
        Shape::List(_) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        _ => vec![text],
    };
    over(knob, name.clone(), &texts).map(Some)
}

fn from_flag(knob: &Knob, matches: &ArgMatches) -> Result<Option<Override>, CliError> {
    let Some(flag) = &knob.flag else { return Ok(None) };
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if knob.shape == Shape::Switch && given(&no_id(knob)) {
        return over(knob, format!("--no-{flag}"), &["false".to_owned()]).map(Some);
    }
    if !given(&knob.key) {
        return Ok(None);
    }
    let texts: Vec<String> = matches.get_many::<String>(&knob.key).into_iter().flatten().cloned().collect();
    over(knob, format!("--{flag}"), &texts).map(Some)
}

fn over(knob: &Knob, said_by: String, texts: &[String]) -> Result<Override, CliError> {
    let wrong = |what| CliError::Override { said_by: said_by.clone(), what };
    let value = match (&knob.shape, texts) {
        (Shape::List(item), texts) => {
            let items: Result<Vec<Value>, String> = texts.iter().map(|text| value(item, text)).collect();
            Value::Array(items.map_err(wrong)?)
        }
        (_, [text]) if text.is_empty() && knob.optional => Value::Null,
        (shape, [text]) => value(shape, text).map_err(wrong)?,
        _ => return Err(wrong("takes one value".to_owned())),
    };
    Ok(Override { key: knob.key.clone(), said_by, value })
}

fn value(shape: &Shape, text: &str) -> Result<Value, String> {
    match shape {
        Shape::Switch => text.parse().map(Value::Bool).map_err(|_| format!("`{text}` is neither true nor false")),
        Shape::Integer => {
            let number = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
            number.map_err(|_| format!("`{text}` is no whole number"))
        }
        Shape::Number => {
            let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number);
            number.ok_or_else(|| format!("`{text}` is no number"))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        new: New,
    }

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct New {
        /// A switch.
        keep_all: bool,
    }

    static PROGRAM: Program =
        Program { name: "tower", prefix: "tower", about: "A test.", version: "1", revision: None };

    #[test]
    fn an_option_that_was_renamed_is_refused_with_its_new_name() {
        let read = |args: &[&str]| {
            let args = std::iter::once("tower").chain(args.iter().copied()).map(OsString::from);
            Cli::<Settings>::new(&PROGRAM).renamed(&[("old.keep_all", "new.keep_all")]).parse_from(args, |_| None)
        };
        let error = |args: &[&str]| read(args).unwrap_err().to_string();
        assert!(read(&["--new.keep-all"]).unwrap().config.new.keep_all);
        assert_eq!(error(&["--old.keep-all"]), "--old.keep-all: is called --new.keep-all now");
        assert_eq!(error(&["--no-old.keep-all"]), "--no-old.keep-all: is called --no-new.keep-all now");
        assert_eq!(error(&["--old.keep-all=true"]), "--old.keep-all: is called --new.keep-all now");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "old:\n  keep_all: true\n").unwrap();
        let path = file.path().display().to_string();
        let expected = format!("{path}:2:3: key old.keep_all: is called new.keep_all now");
        assert_eq!(error(&[&format!("--config.file={path}")]), expected);
    }
}
