//! The repository's Rust code as what it is made of: packages, their module trees, and which of it is tests.

pub(crate) mod c_files;
pub(crate) mod modules;
pub(crate) mod names;
pub(crate) mod packages;
pub(crate) mod test_code;
