//! The command line and the configuration file: every flag of kube-state-metrics under its name, read into a checked
//! [`Config`]. `table` defines each flag once.

mod command;
mod config;
mod file;
mod flag;
mod page;
mod parts;
mod rules;
mod subcommand;
mod table;
#[cfg(test)]
mod tests;

pub use config::{BadFlags, Config, Pods};
pub use file::with_file;
pub use page::page;
pub use subcommand::Command;
pub use table::Flags;
