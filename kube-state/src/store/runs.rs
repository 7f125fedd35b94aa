//! What an object shows, as it is stored: for each family, all that stands behind the object's identity in its lines.

use crate::{number, rows::Rows};

/// The runs of one object. A run is the ends of a family's lines, `,phase="Running"} 1` and its newline, one behind the
/// other. Nothing in them tells one object from another of the same kind, so objects in the same state have the same runs.
#[derive(Debug, Default)]
pub(super) struct Runs {
    text: Vec<u8>,
    /// Where each family's run ends.
    ends: Vec<u32>,
}

impl Runs {
    /// Takes the series of an object of a kind with so many families.
    pub(super) fn take(&mut self, rows: &Rows, families: usize) {
        self.text.clear();
        self.ends.clear();
        for row in rows.all() {
            self.end_before(usize::from(row.family).min(families));
            if usize::from(row.family) >= families {
                break;
            }
            self.text.extend_from_slice(rows.own_labels(row));
            self.text.extend_from_slice(b"} ");
            number::push(&mut self.text, row.number);
            self.text.push(b'\n');
        }
        self.end_before(families);
    }

    /// Ends all families before this one.
    fn end_before(&mut self, family: usize) {
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        if self.ends.len() < family {
            self.ends.resize(family, end);
        }
    }

    /// The run of each family; empty for those that have no series.
    pub(super) fn by_family(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut start = 0;
        self.ends.iter().enumerate().map(move |(family, end)| {
            let run = self.text.get(start as usize..*end as usize).unwrap_or(&[]);
            start = *end;
            (family, run)
        })
    }
}

/// Number of lines of a run.
pub(super) fn lines(run: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', run).count()
}

/// The first line of a run, and the others.
pub(super) fn first_line(run: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr::memchr(b'\n', run).map(|end| run.split_at(end + 1))
}
