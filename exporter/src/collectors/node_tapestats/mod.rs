//! Tape drives, from `/sys/class/scsi_tape/st*/stats` (ABI/testing/sysfs-class-scsi_tape). Beside `st0` there are
//! `nst0`, `st0a` and so on: other ways to open the same drive, with the same statistics.

use kernfs::{ReadError, text};
use metric::{Bytes, Count, Desc, Family, Label, Nanos, Seconds};

use super::node::{attribute_number, counter, descs, folder, gauge};
use crate::{
    config::node::Pattern,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

const DEVICE: &[Label; 1] = &[Label::open("device", "tape drives of the machine")];

static IN_FLIGHT: Family<Count, 1> = gauge("node_tape_io_now", "Requests that the drive works on.", DEVICE);

const COUNT_FILES: [&str; 4] = ["read_cnt", "write_cnt", "other_cnt", "resid_cnt"];
static COUNTS: [Family<Count, 1>; 4] = [
    counter("node_tape_reads_completed_total", "Reads that the drive has done.", DEVICE),
    counter("node_tape_writes_completed_total", "Writes that the drive has done.", DEVICE),
    counter("node_tape_io_others_total", "Requests of other kinds that the drive has done.", DEVICE),
    counter(
        "node_tape_residual_total",
        "Reads of blocks of another size than was asked for, and writes that were cut short.",
        DEVICE,
    ),
];
const TIME_FILES: [&str; 3] = ["io_ns", "read_ns", "write_ns"];
static TIMES: [Family<Seconds, 1>; 3] = [
    counter(
        "node_tape_io_time_seconds_total",
        "Time that requests of all kinds took, with winding and rewinding.",
        DEVICE,
    ),
    counter("node_tape_read_time_seconds_total", "Time that reads took.", DEVICE),
    counter("node_tape_write_time_seconds_total", "Time that writes took.", DEVICE),
];
const BYTE_FILES: [&str; 2] = ["read_byte_cnt", "write_byte_cnt"];
static BYTES: [Family<Bytes, 1>; 2] = [
    counter("node_tape_read_bytes_total", "Bytes read from the drive.", DEVICE),
    counter("node_tape_written_bytes_total", "Bytes written to the drive.", DEVICE),
];
static OF_COUNTS: [&Desc; 4] = descs(&COUNTS);
static OF_TIMES: [&Desc; 3] = descs(&TIMES);
static OF_BYTES: [&Desc; 2] = descs(&BYTES);
static ALL: &[&Desc] = &[IN_FLIGHT.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_tapestats",
    about: "Tape drives.",
    default_on: true,
    needs: &[Need::File("sys/class/scsi_tape")],
    shows: &[(View::Node, ALL), (View::Node, &OF_COUNTS), (View::Node, &OF_TIMES), (View::Node, &OF_BYTES)],
    build,
};

const FOLDER: &str = "class/scsi_tape";

#[derive(Debug)]
struct NodeTapestats {
    ignored: Pattern,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeTapestats { ignored: context.config.collector.tapestats.ignored_devices.clone() }))
}

impl Collector for NodeTapestats {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(drives) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for drive in &drives {
            let is_plain = drive.strip_prefix("st").is_some_and(|number| text::number(number.as_bytes()).is_some());
            if !is_plain || (!self.ignored.is_empty() && self.ignored.matches(drive)) {
                continue;
            }
            let mut number = |file: &str| {
                attribute_number(reader, &host.sys, &format!("{FOLDER}/{drive}/stats/{file}")).unwrap_or(0)
            };
            out.put(&IN_FLIGHT, [drive], number("in_flight"));
            for (file, family) in COUNT_FILES.iter().zip(&COUNTS) {
                out.put(family, [drive], number(file));
            }
            for (file, family) in TIME_FILES.iter().zip(&TIMES) {
                out.put(family, [drive], Nanos(number(file)));
            }
            for (file, family) in BYTE_FILES.iter().zip(&BYTES) {
                out.put(family, [drive], Bytes(number(file)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_drive_is_shown_once() {
        check(&SPEC, "node_tapestats/testdata/kernel-docs", View::Node);
    }
}
