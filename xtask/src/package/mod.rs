//! What users install: images, Debian packages, archives.

mod image;
mod programs;
mod start;

pub(crate) use image::{TAKES, run};
