//! Board, chassis and product by the machine's firmware, from `/sys/class/dmi/id`. It is read once: it
//! changes with a reboot only. Serial numbers are for root; without it those labels are empty, which is the same to
//! Prometheus as not there.

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};

use super::node::{attribute_text, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// Labels; the file has the same name, but for the last.
const NAMES: [&str; 20] = [
    "bios_date",
    "bios_release",
    "bios_vendor",
    "bios_version",
    "board_asset_tag",
    "board_name",
    "board_serial",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_serial",
    "chassis_vendor",
    "chassis_version",
    "product_family",
    "product_name",
    "product_serial",
    "product_sku",
    "product_uuid",
    "product_version",
    "system_vendor",
];

static LABELS: [Label; NAMES.len()] = labels();

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn labels() -> [Label; NAMES.len()] {
    let mut labels = [Label::open("bios_date", "one a machine"); NAMES.len()];
    let mut i = 0;
    while i < NAMES.len() {
        labels[i] = Label::open(NAMES[i], "one a machine");
        i += 1;
    }
    labels
}

static INFO: Family<Count, { NAMES.len() }> =
    gauge("node_dmi_info", "What the machine's firmware says of board, chassis and product.", &LABELS);
static ALL: &[&Desc] = &[INFO.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_dmi",
    about: "What the machine's firmware says of board, chassis and product.",
    default_on: true,
    needs: &[Need::File("sys/class/dmi/id"), Need::Capability("CAP_DAC_READ_SEARCH")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug, Default)]
struct NodeDmi {
    values: Option<[String; NAMES.len()]>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeDmi::default()))
}

impl Collector for NodeDmi {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let values = self.values.get_or_insert_with(|| {
            NAMES.map(|name| {
                let file = if name == "system_vendor" { "sys_vendor" } else { name };
                attribute_text(reader, &host.sys, &format!("class/dmi/id/{file}"))
            })
        });
        if values.iter().any(|value| !value.is_empty()) {
            out.put(&INFO, values.each_ref().map(String::as_str), true);
        } else {
            scrape.nothing_there();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn what_is_for_root_only_is_empty() {
        check(&SPEC, "node_dmi/testdata/server", View::Node);
    }
}
