//! Memory of the machine by use, from `/proc/meminfo` (filesystems/proc.rst, "meminfo").
//!
//! Shown are the fields that `node_exporter` shows; newer ones (`KReclaimable`, `FileHugePages`, `SecPageTables`) are
//! left out as there.

mod metrics;

use kernfs::{ReadError, text};
use metric::Bytes;
use procfs_core::{FromBufRead, Meminfo};

use self::metrics::{ALL, BYTES, PAGES};
use super::node::malformed;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_meminfo",
    about: "What the machine's memory is used for.",
    default_on: true,
    needs: &[Need::File("proc/meminfo")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeMeminfo;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeMeminfo))
}

impl Collector for NodeMeminfo {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "meminfo")? else {
            scrape.nothing_there();
            return Ok(());
        };
        let info = meminfo(file).map_err(|why| malformed(&host.proc, "meminfo", why))?;
        for field in &BYTES {
            if let Some(bytes) = (field.of)(&info) {
                out.put(&field.family, [], Bytes(bytes));
            }
        }
        for field in &PAGES {
            if let Some(pages) = (field.of)(&info) {
                out.put(&field.family, [], pages);
            }
        }
        Ok(())
    }
}

/// The parser panics on names that are not ASCII and on numbers that overflow as bytes; no kernel writes such, nor any
/// unit but one.
fn meminfo(file: &[u8]) -> Result<Meminfo, String> {
    const MOST_KIBIBYTES: u64 = 1 << 50;
    let is_sound = |line: &[u8]| {
        let mut words = text::words(line).skip(1);
        let number = words.next().and_then(text::number);
        number.is_some_and(|number| number <= MOST_KIBIBYTES) && matches!(words.next(), None | Some(b"kB"))
    };
    if !file.is_ascii() || !text::lines(file).all(is_sound) {
        return Err("not what a kernel writes".into());
    }
    Meminfo::from_buf_read(file).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn fields_that_the_kernel_lacks_have_no_series() {
        check(&SPEC, "node_meminfo/testdata/vm-6-18", View::Node);
        check(&SPEC, "node_meminfo/testdata/kernel-docs", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(file in "([A-Za-zß_()]{1,12}:? *[0-9]{0,20}( [kMG]B)?\n){0,8}") {
            let _ = meminfo(file.as_bytes());
        }
    }
}
