//! DRBD devices of module version 8, from `/proc/drbd`; version 9 tells its state in other ways:
//! ```text
//! 0: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----
//!    ns:17324442 nr:10961 dw:17335403 dr:1048 al:26 bm:0 lo:0 pe:1 ua:0 ap:0 ep:1 wo:f oos:0
//! ```

use kernfs::{ReadError, text};
use metric::{Batch, Count, Desc, Family, Label};

use super::node::{counter, descs, float, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const DEVICE: Label = Label::open("device", "DRBD devices of the machine");
const NODE: Label = Label::closed("node", &["local", "remote"]);

/// Words, what they count in, in the order of [`NUMBERS`]. Of what was received, `node_exporter` takes KiB for bytes.
const WORDS: [(&str, f64); 12] = [
    ("ns", 1024.0),
    ("nr", 1.0),
    ("dw", 1024.0),
    ("dr", 1024.0),
    ("al", 1.0),
    ("bm", 1.0),
    ("lo", 1.0),
    ("pe", 1.0),
    ("ua", 1.0),
    ("ap", 1.0),
    ("ep", 1.0),
    ("oos", 1024.0),
];
static NUMBERS: [Family<Count, 1>; 12] = [
    counter("node_drbd_network_sent_bytes_total", "Bytes sent to the other node.", &[DEVICE]),
    counter(
        "node_drbd_network_received_bytes_total",
        "What was received from the other node, in KiB, as node_exporter shows it.",
        &[DEVICE],
    ),
    counter("node_drbd_disk_written_bytes_total", "Bytes written to the disk.", &[DEVICE]),
    counter("node_drbd_disk_read_bytes_total", "Bytes read from the disk.", &[DEVICE]),
    counter("node_drbd_activitylog_writes_total", "Updates of the activity log.", &[DEVICE]),
    counter("node_drbd_bitmap_writes_total", "Updates of the bitmap.", &[DEVICE]),
    gauge("node_drbd_local_pending", "Requests that wait for the disk.", &[DEVICE]),
    gauge("node_drbd_remote_pending", "Requests that wait for the other node.", &[DEVICE]),
    gauge("node_drbd_remote_unacknowledged", "Requests of the other node that were not answered yet.", &[DEVICE]),
    gauge("node_drbd_application_pending", "Requests of applications that were not answered yet.", &[DEVICE]),
    gauge("node_drbd_epochs", "Epochs that are under way.", &[DEVICE]),
    gauge("node_drbd_out_of_sync_bytes", "Bytes that the nodes do not have alike.", &[DEVICE]),
];
static CONNECTED: Family<Count, 1> =
    gauge("node_drbd_connected", "Whether the device is connected to the other node.", &[DEVICE]);
static PRIMARY: Family<Count, 2> =
    gauge("node_drbd_node_role_is_primary", "Whether the node is the primary one.", &[DEVICE, NODE]);
static UP_TO_DATE: Family<Count, 2> =
    gauge("node_drbd_disk_state_is_up_to_date", "Whether the node's disk is up to date.", &[DEVICE, NODE]);
static OF_NUMBERS: [&Desc; 12] = descs(&NUMBERS);
static ALL: &[&Desc] = &[CONNECTED.desc(), PRIMARY.desc(), UP_TO_DATE.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_drbd",
    about: "DRBD devices of module version 8.",
    default_on: false,
    needs: &[Need::File("proc/drbd")],
    shows: &[(View::Node, &OF_NUMBERS), (View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeDrbd;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeDrbd))
}

impl Collector for NodeDrbd {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "drbd")? else {
            scrape.nothing_there();
            return Ok(());
        };
        emit(&text::text(file), out);
        Ok(())
    }
}

fn emit(file: &str, out: &mut Batch) {
    let mut device = String::new();
    for (key, value) in file.split_ascii_whitespace().filter_map(|word| word.split_once(':')) {
        if value.is_empty() && text::number(key.as_bytes()).is_some() {
            device = format!("drbd{key}");
        } else if device.is_empty() {
            // The version of the module stands above the devices.
        } else if let Some(((_, times), family)) = WORDS.iter().zip(&NUMBERS).find(|((word, _), _)| *word == key) {
            if let Some(number) = float(value.as_bytes()) {
                out.put(family, [&device], number * times);
            }
        } else if key == "cs" {
            out.put(&CONNECTED, [&device], value == "Connected");
        } else if let Some((local, remote)) = value.split_once('/') {
            let (family, good) = match key {
                "ro" => (&PRIMARY, "Primary"),
                "ds" => (&UP_TO_DATE, "UpToDate"),
                _ => continue,
            };
            out.put(family, [&device, "local"], local == good);
            out.put(family, [&device, "remote"], remote == good);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn a_device_that_is_connected_and_one_that_is_not() {
        check(&SPEC, "node_drbd/testdata/version-8", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "([0-9a-z]{0,3}:[a-zA-Z0-9/.]{0,9}[ \n]){0,20}") {
            emit(&text, &mut Batch::default());
        }
    }
}
