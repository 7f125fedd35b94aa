//! The command line, made from the table. klog's `-v` is the only flag with a short form.

use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand as _, error::ErrorKind};

use super::{
    flag::{Flag, Group},
    subcommand::Command,
    table::{self, Flags},
};
use crate::program::PROGRAM;

impl Group {
    /// The heading in `--help` and on the page; none for upstream's own.
    pub(super) const fn heading(self) -> Option<&'static str> {
        match self {
            Self::Upstream => None,
            Self::Ours => Some("Ours"),
            Self::Klog | Self::Build => Some("Accepted for compatibility"),
        }
    }
}

impl Flag<Flags> {
    /// What it is for, as it is shown in a list: without the full stop.
    pub(super) fn shown_about(&self) -> &'static str {
        let about = self.about.trim();
        about.strip_suffix('.').filter(|about| !about.ends_with('.')).unwrap_or(about)
    }

    /// The argument. Values are read by [`Flag::set`] alone, in the order in which they stand.
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.name).long(self.name).action(ArgAction::Append).hide(!self.is_shown());
        let arg = arg.help(self.shown_about()).help_heading(self.group.heading());
        let arg = if self.name.len() == 1 { arg.short(self.name.chars().next()) } else { arg };
        let arg = if self.default.is_empty() { arg } else { arg.default_value(self.default) };
        if self.is_switch() {
            return arg.num_args(0..=1).require_equals(true).default_missing_value("true");
        }
        arg.num_args(1).allow_hyphen_values(true)
    }
}

impl Parser for Flags {}

impl CommandFactory for Flags {
    fn command() -> clap::Command {
        let command = clap::Command::new(PROGRAM.name).version(PROGRAM.version).about(PROGRAM.about);
        Command::augment_subcommands(command.args(table::all().map(Flag::arg)))
            .subcommand_required(false)
            .arg_required_else_help(false)
    }

    fn command_for_update() -> clap::Command {
        Self::command()
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for flag in table::all() {
            for text in matches.get_many::<String>(flag.name).into_iter().flatten() {
                flag.set(self, text).map_err(|wrong| {
                    let message = format!("invalid value {text:?} for --{}: {wrong}", flag.name);
                    Self::command().error(ErrorKind::ValueValidation, message)
                })?;
            }
        }
        if matches.subcommand_name().is_some() {
            self.command = Some(Command::from_arg_matches(matches)?);
        }
        Ok(())
    }
}
