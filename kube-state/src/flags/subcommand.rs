//! Subcommands: they print something and exit.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Print the version.
    Version,
    /// Print what completes the flags in a shell.
    Completion {
        /// The shell that shall complete them.
        shell: clap_complete::Shell,
    },
}
