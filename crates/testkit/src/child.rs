//! A child process that is ended and waited for when it goes out of scope.

use std::process::{Command, Stdio};

/// A running child.
#[derive(Debug)]
pub struct Child(std::process::Child);

impl Child {
    /// Starts a program with nothing on its standard streams.
    pub fn quiet(command: &mut Command) -> std::io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }

    /// Starts a program as it is set up.
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The handle itself, for its pipes and its exit status.
    pub fn handle(&mut self) -> &mut std::process::Child {
        &mut self.0
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
