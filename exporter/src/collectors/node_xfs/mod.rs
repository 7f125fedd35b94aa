//! XFS file systems, from `/sys/fs/xfs/*/stats/stats` (since Linux 4.4; `fs/xfs/xfs_stats.c`):
//! ```text
//! extent_alloc 4260849 125170297 4618726 131131897
//! ig 184045 180224 0 3821 3821 3796 21
//! ```
//! A line is a group, its numbers have no names. What is not there shows 0.

mod metrics;

use kernfs::{ReadError, text};

use self::metrics::{ALL, FIELDS};
use super::node::{entries, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_xfs",
    about: "What XFS file systems do.",
    default_on: true,
    needs: &[Need::File("sys/fs/xfs")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "fs/xfs";

#[derive(Debug)]
struct NodeXfs;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeXfs))
}

impl Collector for NodeXfs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        for device in entries(reader, &host.sys, FOLDER)? {
            // Beside the file systems there are folders that are about all of them: `debug`, `stats`.
            let Some(file) = or_problem(reader.read(&host.sys, &format!("{FOLDER}/{device}/stats/stats")), problems)
            else {
                continue;
            };
            for field in &FIELDS {
                out.put(&field.family, [&device], number(file, field.line, field.at));
            }
        }
        Ok(())
    }
}

fn number(file: &[u8], line: &str, at: usize) -> u64 {
    let line = text::lines(file).find(|known| text::words(known).next() == Some(line.as_bytes()));
    line.and_then(|line| text::words(line).nth(at + 1)).and_then(text::number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn a_file_system_shows_what_it_counts() {
        check(&SPEC, "node_xfs/testdata/vm-6-18", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..20) {
            let _ = number(&bytes, "rw", at);
        }
    }
}
