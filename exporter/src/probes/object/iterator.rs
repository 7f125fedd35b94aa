//! Running iterators.

use std::{
    fs,
    io::{self, Read as _},
    os::fd::{AsFd as _, OwnedFd},
};

use super::call::{Attr, command};

/// A program that the kernel runs for each thing there is of a kind, whenever it is asked to.
#[derive(Debug)]
pub struct Iterator {
    link: OwnedFd,
}

impl Iterator {
    pub(super) fn of(link: OwnedFd) -> Self {
        Self { link }
    }

    /// One pass. What the program writes is dropped: ours put their results into maps.
    pub fn run(&self) -> io::Result<()> {
        let mut attr = Attr::default();
        attr.fd(0, self.link.as_fd());
        let mut pass = fs::File::from(attr.new_fd(command::ITER_CREATE)?);
        let mut sink = [0_u8; 4096];
        loop {
            match pass.read(&mut sink) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
