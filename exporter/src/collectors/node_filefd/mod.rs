//! Open files of the machine, from `/proc/sys/fs/file-nr`: allocated, unused (always 0), most
//! (admin-guide/sysctl/fs.rst).

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family};

use super::node::{gauge, malformed};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static ALLOCATED: Family<Count, 0> = gauge("node_filefd_allocated", "Open files of the whole machine.", &[]);
static MAXIMUM: Family<Count, 0> = gauge("node_filefd_maximum", "Most files that can be open.", &[]);
static ALL: &[&Desc] = &[ALLOCATED.desc(), MAXIMUM.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_filefd",
    about: "Open files of the machine.",
    default_on: true,
    needs: &[Need::File("proc/sys/fs/file-nr")],
    shows: &[(View::Node, ALL)],
    build,
};

const FILE: &str = "sys/fs/file-nr";

#[derive(Debug)]
struct NodeFilefd;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeFilefd))
}

impl Collector for NodeFilefd {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, FILE)? else {
            scrape.nothing_there();
            return Ok(());
        };
        let (allocated, most) = files(file).ok_or_else(|| malformed(&host.proc, FILE, "not three numbers"))?;
        out.put(&ALLOCATED, [], allocated);
        out.put(&MAXIMUM, [], most);
        Ok(())
    }
}

/// Allocated and most. The latter is up to 2^63 - 1.
fn files(file: &[u8]) -> Option<(u64, u64)> {
    let mut words = text::words(file).map(text::number);
    let allocated = words.next()??;
    words.next()??;
    Some((allocated, words.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn the_number_in_the_middle_is_left_out() {
        check(&SPEC, "node_filefd/testdata/vm-6-18", View::Node);
        assert_eq!(files(b"1024\t0\t9223372036854775807\n"), Some((1024, 9_223_372_036_854_775_807)));
        assert_eq!(files(b"1024\t0\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = files(&bytes);
        }
    }
}
