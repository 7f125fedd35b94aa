//! Errors in a page.

use std::fmt;

/// A page that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ParseError {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// A place on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a text format, from 1.
    Line(usize),
    /// A message of a protobuf page, from 1.
    Message(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Message(message) => write!(f, "message {message}"),
        }
    }
}

/// The problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Bytes that are not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// Something else was to come.
    #[error("expected {expected} at column {column}")]
    Expected {
        /// What.
        expected: &'static str,
        /// Where, in bytes from 1.
        column: usize,
    },
    /// A metric or label name that is none.
    #[error("{0:?} is not a valid name")]
    BadName(String),
    /// A backslash before something that needs none.
    #[error("\\{0} is not an escape")]
    BadEscape(char),
    /// Not a number.
    #[error("{0:?} is not a number")]
    BadNumber(String),
    /// Not a type.
    #[error("{0:?} is not a type")]
    BadType(String),
    /// An OpenMetrics comment that is no header line.
    #[error("neither HELP nor TYPE nor UNIT nor EOF")]
    BadComment,
    /// An empty line.
    #[error("blank line")]
    BlankLine,
    /// The page ends in the middle of a line.
    #[error("the last line has no end")]
    NoNewline,
    /// OpenMetrics without its end.
    #[error("the page does not end with # EOF")]
    MissingEof,
    /// Lines after the end.
    #[error("data after # EOF")]
    AfterEof,
    /// The same header line again.
    #[error("second {what} of {family}")]
    DuplicateHeader {
        /// HELP, TYPE or UNIT.
        what: &'static str,
        /// Of this family.
        family: String,
    },
    /// A header line below samples of its family.
    #[error("{what} of {family} stands after samples of it")]
    LateHeader {
        /// HELP, TYPE or UNIT.
        what: &'static str,
        /// Of this family.
        family: String,
    },
    /// A family that goes on after another began.
    #[error("{0} stands in two places")]
    Interleaved(String),
    /// Two families with samples that could have the same name.
    #[error("{name} of {family} clashes with family {other}")]
    NameClash {
        /// The name both may have.
        name: String,
        /// The later family.
        family: String,
        /// The earlier family.
        other: String,
    },
    /// The same name and labels again.
    #[error("{0} stands twice")]
    DuplicateSeries(String),
    /// The same label twice in a sample.
    #[error("label {0} stands twice")]
    DuplicateLabel(String),
    /// A sample whose name its family's type does not allow.
    #[error("{sample} is no sample of a {kind}")]
    BadSuffix {
        /// The sample.
        sample: String,
        /// The type.
        kind: &'static str,
    },
    /// A unit that is not the end of the name, or that the type may not have.
    #[error("unit {unit:?} does not fit {family}")]
    BadUnit {
        /// The unit.
        unit: String,
        /// The family.
        family: String,
    },
    /// A value that the type does not allow.
    #[error("{value} is no value of a {kind}")]
    BadValue {
        /// The value.
        value: String,
        /// The type.
        kind: &'static str,
    },
    /// An exemplar where none may be.
    #[error("{0} may not have an exemplar")]
    MisplacedExemplar(String),
    /// An exemplar that is over the limit of the format.
    #[error("the exemplar has more than 128 characters")]
    LongExemplar,
    /// A `_created` line without the sample it belongs to.
    #[error("{0} belongs to no sample")]
    LoneCreated(String),
    /// A histogram or summary that contradicts itself.
    #[error("{series}: {what}")]
    Inconsistent {
        /// The series.
        series: String,
        /// How.
        what: &'static str,
    },
    /// A message that ends too early or is of another kind.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
}
