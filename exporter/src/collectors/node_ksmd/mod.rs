//! Pages that the kernel merged because they hold the same, from `/sys/kernel/mm/ksm` (admin-guide/mm/ksm.rst).

use kernfs::ReadError;
use metric::{Count, Desc, Family};

use super::node::{attribute_number, counter, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static SLEEP: Family<Count, 0> = gauge("node_ksmd_sleep_seconds", "How long the scanner rests between batches.", &[]);
static NUMBERS: [(&str, Family<Count, 0>); 8] = [
    ("full_scans", counter("node_ksmd_full_scans_total", "How often all memory was looked at.", &[])),
    ("merge_across_nodes", gauge("node_ksmd_merge_across_nodes", "Whether pages of other NUMA nodes are merged.", &[])),
    ("pages_shared", gauge("node_ksmd_pages_shared", "Pages that stand for several.", &[])),
    ("pages_sharing", gauge("node_ksmd_pages_sharing", "Pages that others stand for: what is saved.", &[])),
    ("pages_to_scan", gauge("node_ksmd_pages_to_scan", "Pages that are looked at in a batch.", &[])),
    ("pages_unshared", gauge("node_ksmd_pages_unshared", "Pages that have no equal.", &[])),
    ("pages_volatile", gauge("node_ksmd_pages_volatile", "Pages that change too fast to be merged.", &[])),
    ("run", gauge("node_ksmd_run", "Whether pages are merged: 0 stopped, 1 running, 2 stopped and taken apart.", &[])),
];
static ALL: &[&Desc] = &[
    SLEEP.desc(),
    NUMBERS[0].1.desc(),
    NUMBERS[1].1.desc(),
    NUMBERS[2].1.desc(),
    NUMBERS[3].1.desc(),
    NUMBERS[4].1.desc(),
    NUMBERS[5].1.desc(),
    NUMBERS[6].1.desc(),
    NUMBERS[7].1.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_ksmd",
    about: "Pages that the kernel merged because they hold the same.",
    default_on: false,
    needs: &[Need::File("sys/kernel/mm/ksm")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeKsmd;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeKsmd))
}

const FOLDER: &str = "kernel/mm/ksm";

impl Collector for NodeKsmd {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        if !reader.exists(&host.sys, FOLDER) {
            scrape.nothing_there();
            return Ok(());
        }
        for (file, family) in &NUMBERS {
            if let Some(number) = attribute_number(reader, &host.sys, &format!("{FOLDER}/{file}")) {
                out.put(family, [], number);
            }
        }
        if let Some(millis) = attribute_number(reader, &host.sys, &format!("{FOLDER}/sleep_millisecs")) {
            out.put(&SLEEP, [], Count::from(millis).0 / 1000.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn what_was_merged_is_shown() {
        check(&SPEC, "node_ksmd/testdata/running", View::Node);
    }
}
