//! Memory errors that the memory controllers found, from `/sys/devices/system/edac/mc` (admin-guide/RAS/main.rst).

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Count, Desc, Family, Label};

use super::node::{attribute_number, attribute_text, counter, entries, numbered};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const CONTROLLER: Label = Label::open("controller", "memory controllers of the machine");
const ROW: Label = Label::open("csrow", "rows of memory chips, and unknown");
const CHANNEL: Label = Label::open("channel", "memory channels of the machine");
const DIMM: Label = Label::open("dimm_label", "memory modules of the machine");

static CORRECTABLE: Family<Count, 1> =
    counter("node_edac_correctable_errors_total", "Memory errors that were corrected.", &[CONTROLLER]);
static UNCORRECTABLE: Family<Count, 1> =
    counter("node_edac_uncorrectable_errors_total", "Memory errors that could not be corrected.", &[CONTROLLER]);
static ROW_CORRECTABLE: Family<Count, 2> = counter(
    "node_edac_csrow_correctable_errors_total",
    "Memory errors of the row that were corrected.",
    &[CONTROLLER, ROW],
);
static ROW_UNCORRECTABLE: Family<Count, 2> = counter(
    "node_edac_csrow_uncorrectable_errors_total",
    "Memory errors of the row that could not be corrected.",
    &[CONTROLLER, ROW],
);
static CHANNEL_CORRECTABLE: Family<Count, 4> = counter(
    "node_edac_channel_correctable_errors_total",
    "Memory errors of the channel that were corrected.",
    &[CONTROLLER, ROW, CHANNEL, DIMM],
);
static CHANNEL_UNCORRECTABLE: Family<Count, 4> = counter(
    "node_edac_channel_uncorrectable_errors_total",
    "Memory errors of the channel that could not be corrected.",
    &[CONTROLLER, ROW, CHANNEL, DIMM],
);
static ALL: &[&Desc] = &[
    CORRECTABLE.desc(),
    UNCORRECTABLE.desc(),
    ROW_CORRECTABLE.desc(),
    ROW_UNCORRECTABLE.desc(),
    CHANNEL_CORRECTABLE.desc(),
    CHANNEL_UNCORRECTABLE.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_edac",
    about: "Memory errors that the memory controllers found.",
    default_on: true,
    needs: &[Need::File("sys/devices/system/edac/mc")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "devices/system/edac/mc";

#[derive(Debug)]
struct NodeEdac;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeEdac))
}

impl Collector for NodeEdac {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        for folder in numbered(reader, &host.sys, FOLDER, "mc")? {
            let controller = folder.trim_start_matches("mc");
            let path = format!("{FOLDER}/{folder}");
            let mut number = |file: &str| attribute_number(reader, &host.sys, &format!("{path}/{file}"));
            for (file, family) in [("ce_count", &CORRECTABLE), ("ue_count", &UNCORRECTABLE)] {
                if let Some(count) = number(file) {
                    out.put(family, [controller], count);
                }
            }
            for (file, family) in [("ce_noinfo_count", &ROW_CORRECTABLE), ("ue_noinfo_count", &ROW_UNCORRECTABLE)] {
                if let Some(count) = number(file) {
                    out.put(family, [controller, "unknown"], count);
                }
            }
            for row in numbered(reader, &host.sys, &path, "csrow")? {
                emit_row(controller, &path, &row, host, reader, out)?;
            }
        }
        Ok(())
    }
}

fn emit_row(
    controller: &str,
    path: &str,
    folder: &str,
    host: &Host,
    reader: &mut Reader,
    out: &mut Batch,
) -> Result<(), ReadError> {
    let row = folder.trim_start_matches("csrow");
    let path = format!("{path}/{folder}");
    for (file, family) in [("ce_count", &ROW_CORRECTABLE), ("ue_count", &ROW_UNCORRECTABLE)] {
        if let Some(count) = attribute_number(reader, &host.sys, &format!("{path}/{file}")) {
            out.put(family, [controller, row], count);
        }
    }
    for file in entries(reader, &host.sys, &path)? {
        let Some(channel) = file.strip_prefix("ch").and_then(|file| file.strip_suffix("_ce_count")) else { continue };
        let label = match attribute_text(reader, &host.sys, &format!("{path}/ch{channel}_dimm_label")) {
            label if label.is_empty() => "unknown".to_owned(),
            label => label.replace('#', "").replace("csrow", "_csrow").replace("channel", "_channel"),
        };
        for (kind, family) in [("ce", &CHANNEL_CORRECTABLE), ("ue", &CHANNEL_UNCORRECTABLE)] {
            if let Some(count) = attribute_number(reader, &host.sys, &format!("{path}/ch{channel}_{kind}_count")) {
                out.put(family, [controller, row, channel, &label], count);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn errors_by_controller_row_and_channel() {
        check(&SPEC, "node_edac/testdata/kernel-docs", View::Node);
    }
}
