//! Known metrics: families of the programs, dependencies that others serve, rules that record.

mod family;
mod input;
mod known;

pub use family::{Family, Labels, Origin};
pub use input::{Dependency, Input, Inputs};
pub use known::Known;
