//! What happened, one by one, for those who follow: the probe that sees an event sends it, whoever wants it follows.

pub mod flow;
pub mod lines;
pub mod stream;
