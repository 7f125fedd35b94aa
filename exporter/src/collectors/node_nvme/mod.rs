//! Controllers of NVM Express and their namespaces, from `/sys/class/nvme`. Sizes there are in blocks of the namespace,
//! as `node_exporter` reads them.

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Bytes, Count, Desc, Family, Label};

use super::node::{attribute_number, attribute_text, entries, folder, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const DEVICE: Label = Label::open("device", "NVMe controllers of the machine");
const NAMESPACE: Label = Label::open("nsid", "namespaces of a controller");

static INFO: Family<Count, 6> = gauge(
    "node_nvme_info",
    "What the controller is.",
    &[
        DEVICE,
        Label::open("firmware_revision", "one a controller"),
        Label::open("model", "one a controller"),
        Label::open("serial", "one a controller"),
        Label::open("state", "a few words of the kernel"),
        Label::open("cntlid", "one a controller"),
    ],
);
static NAMESPACE_INFO: Family<Count, 3> = gauge(
    "node_nvme_namespace_info",
    "The namespace, and how it can be reached.",
    &[DEVICE, NAMESPACE, Label::open("ana_state", "a few words of the kernel")],
);
static CAPACITY: Family<Bytes, 2> =
    gauge("node_nvme_namespace_capacity_bytes", "What the namespace can hold.", &[DEVICE, NAMESPACE]);
static SIZE: Family<Bytes, 2> = gauge("node_nvme_namespace_size_bytes", "Size of the namespace.", &[DEVICE, NAMESPACE]);
static USED: Family<Bytes, 2> =
    gauge("node_nvme_namespace_used_bytes", "What the namespace holds.", &[DEVICE, NAMESPACE]);
static BLOCK: Family<Bytes, 2> =
    gauge("node_nvme_namespace_logical_block_size_bytes", "Size of a block of the namespace.", &[DEVICE, NAMESPACE]);
static ALL: &[&Desc] = &[INFO.desc(), NAMESPACE_INFO.desc(), CAPACITY.desc(), SIZE.desc(), USED.desc(), BLOCK.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_nvme",
    about: "NVMe controllers and their namespaces.",
    default_on: true,
    needs: &[Need::File("sys/class/nvme")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/nvme";

#[derive(Debug)]
struct NodeNvme;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeNvme))
}

impl Collector for NodeNvme {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(all) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for device in all {
            let [firmware, model, serial, state, id] = ["firmware_rev", "model", "serial", "state", "cntlid"]
                .map(|file| attribute_text(reader, &host.sys, &format!("{FOLDER}/{device}/{file}")));
            out.put(&INFO, [&device, &firmware, &model, &serial, &state, &id], true);
            for folder in entries(reader, &host.sys, &format!("{FOLDER}/{device}"))? {
                if let Some(id) = namespace_id(&folder) {
                    emit_namespace(&device, id, &format!("{FOLDER}/{device}/{folder}"), host, reader, out);
                }
            }
        }
        Ok(())
    }
}

fn emit_namespace(device: &str, id: &str, path: &str, host: &Host, reader: &mut Reader, out: &mut Batch) {
    let mut number = |file: &str| attribute_number(reader, &host.sys, &format!("{path}/{file}")).unwrap_or(0);
    let (used, size, block) = (number("nuse"), number("size"), number("queue/logical_block_size"));
    let state = match attribute_text(reader, &host.sys, &format!("{path}/ana_state")) {
        state if state.is_empty() => "unknown".to_owned(),
        state => state,
    };
    out.put(&NAMESPACE_INFO, [device, id, &state], true);
    for (family, bytes) in [
        (&CAPACITY, size.saturating_mul(block)),
        (&SIZE, size.saturating_mul(block)),
        (&USED, used.saturating_mul(block)),
        (&BLOCK, block),
    ] {
        out.put(family, [device, id], Bytes(bytes));
    }
}

/// The namespace that a folder is: `nvme0n1` is namespace 1; `nvme0c0n1`, one of several paths to it, is none.
fn namespace_id(folder: &str) -> Option<&str> {
    let rest = folder.strip_prefix("nvme")?;
    let (controller, id) = rest.split_once('n')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(controller) && digits(id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_controller_with_two_namespaces() {
        check(&SPEC, "node_nvme/testdata/kernel-docs", View::Node);
        assert_eq!(namespace_id("nvme0n12"), Some("12"));
        assert_eq!((namespace_id("nvme0c0n1"), namespace_id("nvme0n1p1"), namespace_id("ng0n1")), (None, None, None));
    }
}
