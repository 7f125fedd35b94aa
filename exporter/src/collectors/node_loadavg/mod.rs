//! Load averages, from `/proc/loadavg`: `0.20 0.18 0.12 1/80 11206`.
//!
//! `procfs-core` reads this file too, but into `f32`, which would show 0.07 as 0.07000000029802322.

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family};

use super::node::{float, gauge, malformed};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static LOAD1: Family<Count, 0> = gauge("node_load1", "Tasks that ran or waited for I/O, averaged over a minute.", &[]);
static LOAD5: Family<Count, 0> =
    gauge("node_load5", "Tasks that ran or waited for I/O, averaged over five minutes.", &[]);
static LOAD15: Family<Count, 0> =
    gauge("node_load15", "Tasks that ran or waited for I/O, averaged over fifteen minutes.", &[]);
static ALL: &[&Desc] = &[LOAD1.desc(), LOAD5.desc(), LOAD15.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_loadavg",
    about: "Load averages.",
    default_on: true,
    needs: &[Need::File("proc/loadavg")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeLoadavg;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeLoadavg))
}

impl Collector for NodeLoadavg {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "loadavg")? else {
            scrape.nothing_there();
            return Ok(());
        };
        let loads = loads(file).ok_or_else(|| malformed(&host.proc, "loadavg", "not three numbers"))?;
        for (family, load) in [&LOAD1, &LOAD5, &LOAD15].into_iter().zip(loads) {
            out.put(family, [], load);
        }
        Ok(())
    }
}

fn loads(file: &[u8]) -> Option<[f64; 3]> {
    let mut words = text::words(file).map(float);
    Some([words.next()??, words.next()??, words.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn loads_are_shown_as_the_kernel_writes_them() {
        check(&SPEC, "node_loadavg/testdata/vm-6-18", View::Node);
        assert_eq!(loads(b"0.07 1 12.50 1/80 11206\n"), Some([0.07, 1.0, 12.5]));
        assert_eq!(loads(b"0.07 x"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = loads(&bytes);
        }
    }
}
