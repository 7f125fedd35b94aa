//! Every option, with its default and unit.
#[derive(Debug, Default)]
/// All options.
pub struct Config {}
