//! Use of the machine's memory, from `/proc/meminfo` (filesystems/proc.rst, "meminfo").
//!
//! Shown are the fields that `node_exporter` shows; newer ones (`KReclaimable`, `FileHugePages`, `SecPageTables`) are
//! left out as there.

mod metrics;

use kernfs::{ReadError, text};
use metric::{Bytes, Kibibytes};

use self::metrics::{ALL, BYTES, PAGES};
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
        let lines: Vec<_> = text::lines(file).filter_map(parts).collect();
        let of = |key: &[u8]| lines.iter().find(|(known, ..)| *known == key);
        for field in &BYTES {
            match of(field.key) {
                Some((_, bytes, None)) => out.put(&field.family, [], Bytes(*bytes)),
                Some((_, kib, Some(b"kB"))) => out.put(&field.family, [], Kibibytes(*kib)),
                _ => {}
            }
        }
        for field in &PAGES {
            if let Some((_, pages, _)) = of(field.key) {
                out.put(&field.family, [], *pages);
            }
        }
        Ok(())
    }
}

/// Name, number and unit of a line.
type Parts<'f> = (&'f [u8], u64, Option<&'f [u8]>);

/// The parts of a line. No kernel writes another unit than `kB`, which means 1024 bytes.
fn parts(line: &[u8]) -> Option<Parts<'_>> {
    let mut words = text::words(line);
    let key = words.next()?.strip_suffix(b":")?;
    Some((key, text::number(words.next()?)?, words.next()))
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

    #[test]
    fn a_kernel_that_tells_little_is_believed_and_an_odd_line_costs_itself() {
        check(&SPEC, "node_meminfo/testdata/gvisor", View::Node);
    }

    #[test]
    fn a_line_is_name_number_and_unit() {
        assert_eq!(parts(b"Active(anon):  7 kB"), Some((&b"Active(anon)"[..], 7, Some(&b"kB"[..]))));
        assert_eq!(parts(b"HugePages_Total: 0"), Some((&b"HugePages_Total"[..], 0, None)));
        assert_eq!(parts(b"MemFree: 99999999999999999999 kB"), None);
        assert_eq!(parts(b"MemFree 1 kB"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(file in "([A-Za-zß_()]{1,12}:? *[0-9]{0,20}( [kMG]B)?\n){0,8}") {
            let _ = text::lines(file.as_bytes()).filter_map(parts).count();
        }
    }
}
