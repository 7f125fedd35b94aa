//! Fibre Channel ports of the machine, from `/sys/class/fc_host` (`drivers/scsi/scsi_transport_fc.c`). Counters are in
//! hexadecimal; one that the adapter does not have shows all bits set, and has no series.

use kernfs::{Dir, ReadError, Reader};
use metric::{Count, Desc, Family, Label};

use super::node::{attribute, attribute_text, counter, descs, folder, gauge, hex};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const HOST: Label = Label::open("fc_host", "Fibre Channel ports of the machine");

static INFO: Family<Count, 11> = gauge(
    "node_fibrechannel_info",
    "What the port is, and what it is connected to.",
    &[
        HOST,
        Label::open("speed", "one a port"),
        Label::open("port_state", "a few words of the kernel"),
        Label::open("port_type", "a few words of the kernel"),
        Label::open("port_id", "one a port"),
        Label::open("port_name", "one a port"),
        Label::open("fabric_name", "one a port"),
        Label::open("symbolic_name", "one a port"),
        Label::open("supported_classes", "one a port"),
        Label::open("supported_speeds", "one a port"),
        Label::open("dev_loss_tmo", "one a port"),
    ],
);

/// Files of `statistics`, in the order of [`COUNTERS`].
const FILES: [&str; 14] = [
    "dumped_frames",
    "error_frames",
    "fcp_packet_aborts",
    "invalid_crc_count",
    "invalid_tx_word_count",
    "link_failure_count",
    "loss_of_signal_count",
    "loss_of_sync_count",
    "nos_count",
    "rx_frames",
    "rx_words",
    "seconds_since_last_reset",
    "tx_frames",
    "tx_words",
];
static COUNTERS: [Family<Count, 1>; 14] = [
    counter("node_fibrechannel_dumped_frames_total", "Frames that the port threw away for want of memory.", &[HOST]),
    counter("node_fibrechannel_error_frames_total", "Frames received with an error.", &[HOST]),
    counter("node_fibrechannel_fcp_packet_aborts_total", "SCSI commands that were given up.", &[HOST]),
    counter("node_fibrechannel_invalid_crc_total", "Frames received with a wrong checksum.", &[HOST]),
    counter("node_fibrechannel_invalid_tx_words_total", "Words that are no valid transmission words.", &[HOST]),
    counter("node_fibrechannel_link_failure_total", "How often the link failed.", &[HOST]),
    counter("node_fibrechannel_loss_of_signal_total", "How often the signal was lost.", &[HOST]),
    counter("node_fibrechannel_loss_of_sync_total", "How often synchronisation was lost.", &[HOST]),
    counter("node_fibrechannel_nos_total", "Sequences received that say not operational.", &[HOST]),
    counter("node_fibrechannel_rx_frames_total", "Frames received.", &[HOST]),
    counter("node_fibrechannel_rx_words_total", "Words received.", &[HOST]),
    counter(
        "node_fibrechannel_seconds_since_last_reset_total",
        "Seconds since the port's statistics were set to zero.",
        &[HOST],
    ),
    counter("node_fibrechannel_tx_frames_total", "Frames sent.", &[HOST]),
    counter("node_fibrechannel_tx_words_total", "Words sent.", &[HOST]),
];
static DESCS: [&Desc; 14] = descs(&COUNTERS);
static ALL: &[&Desc] = &[INFO.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_fibrechannel",
    about: "Fibre Channel ports.",
    default_on: true,
    needs: &[Need::File("sys/class/fc_host")],
    shows: &[(View::Node, ALL), (View::Node, &DESCS)],
    build,
};

const FOLDER: &str = "class/fc_host";

#[derive(Debug)]
struct NodeFibrechannel;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeFibrechannel))
}

impl Collector for NodeFibrechannel {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(ports) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for port in &ports {
            let path = format!("{FOLDER}/{port}");
            let [speed, state, kind, symbolic, classes, speeds, loss] = [
                "speed",
                "port_state",
                "port_type",
                "symbolic_name",
                "supported_classes",
                "supported_speeds",
                "dev_loss_tmo",
            ]
            .map(|file| attribute_text(reader, &host.sys, &format!("{path}/{file}")));
            let [id, name, fabric] = ["port_id", "port_name", "fabric_name"]
                .map(|file| address(reader, &host.sys, &format!("{path}/{file}")));
            let labels =
                [port.as_str(), &speed, &state, &kind, &id, &name, &fabric, &symbolic, &classes, &speeds, &loss];
            out.put(&INFO, labels, true);
            for (file, family) in FILES.iter().zip(&COUNTERS) {
                let value = attribute(reader, &host.sys, &format!("{path}/statistics/{file}")).and_then(number);
                if let Some(value) = value.filter(|value| *value != u64::MAX) {
                    out.put(family, [port], value);
                }
            }
        }
        Ok(())
    }
}

/// An address without its `0x`.
fn address(reader: &mut Reader, sys: &Dir, file: &str) -> String {
    let mut address = attribute_text(reader, sys, file);
    if address.starts_with("0x") && address.len() > 2 {
        address.drain(..2);
    }
    address
}

/// `0x12`, and for drivers that write so, `18`.
fn number(word: &[u8]) -> Option<u64> {
    match word.strip_prefix(b"0x") {
        Some(digits) => hex(digits),
        None => kernfs::text::number(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn an_adapter_shows_what_it_counts() {
        check(&SPEC, "node_fibrechannel/testdata/two-ports", View::Node);
    }

    #[test]
    fn numbers_are_hexadecimal_when_they_say_so() {
        assert_eq!([&b"0x1f"[..], b"12", b"0x", b"-1"].map(number), [Some(31), Some(12), None, None]);
    }
}
