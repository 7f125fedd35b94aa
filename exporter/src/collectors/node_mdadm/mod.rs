//! Software RAID arrays: what they do, their disks, and how far a resync is, from `/proc/mdstat` and
//! `/sys/block/md*/md` (admin-guide/md.rst).

mod parse;

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use self::parse::Activity;
use super::node::{attribute_number, attribute_text, entries, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const DEVICE: Label = Label::open("device", "RAID arrays of the machine");

/// Values of `state`, and what they stand for.
const STATES: [(&str, Activity); 5] = [
    ("active", Activity::Active),
    ("inactive", Activity::Inactive),
    ("recovering", Activity::Recovering),
    ("resync", Activity::Resync),
    ("check", Activity::Check),
];

static STATE: Family<Count, 2> = gauge(
    "node_md_state",
    "Whether the array is in this state.",
    &[DEVICE, Label::closed("state", &["active", "inactive", "recovering", "resync", "check"])],
);
static DISKS: Family<Count, 2> =
    gauge("node_md_disks", "Disks of the array.", &[DEVICE, Label::closed("state", &["active", "failed", "spare"])]);
static REQUIRED: Family<Count, 1> = gauge("node_md_disks_required", "Disks that the array needs.", &[DEVICE]);
static BLOCKS: Family<Count, 1> = gauge("node_md_blocks", "Blocks of the array.", &[DEVICE]);
static SYNCED: Family<Count, 1> = gauge("node_md_blocks_synced", "Blocks of the array that are in sync.", &[DEVICE]);
static RAID_DISKS: Family<Count, 1> = gauge("node_md_raid_disks", "Disks of the array when it is whole.", &[DEVICE]);
static DEGRADED: Family<Count, 1> = gauge("node_md_degraded", "Disks that the array lacks.", &[DEVICE]);
static ALL: &[&Desc] =
    &[STATE.desc(), DISKS.desc(), REQUIRED.desc(), BLOCKS.desc(), SYNCED.desc(), RAID_DISKS.desc(), DEGRADED.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_mdadm",
    about: "Software RAID arrays.",
    default_on: true,
    needs: &[Need::File("proc/mdstat"), Need::File("sys/block/md0/md")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeMdadm;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeMdadm))
}

impl Collector for NodeMdadm {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "mdstat")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for array in parse::arrays(file) {
            let device = array.name.as_str();
            for (state, activity) in STATES {
                out.put(&STATE, [device, state], array.activity == activity);
            }
            out.put(&DISKS, [device, "active"], array.disks_active);
            out.put(&DISKS, [device, "failed"], array.disks_failed);
            out.put(&DISKS, [device, "spare"], array.disks_spare);
            out.put(&REQUIRED, [device], array.disks_required);
            out.put(&BLOCKS, [device], array.blocks);
            out.put(&SYNCED, [device], array.blocks_synced);
        }
        for device in entries(reader, &host.sys, "block")? {
            let path = format!("block/{device}/md");
            if !device.starts_with("md") || !reader.exists(&host.sys, &path) {
                continue;
            }
            // "11 (10)" while the array grows.
            let disks = attribute_text(reader, &host.sys, &format!("{path}/raid_disks"));
            let disks = disks.split_ascii_whitespace().next().and_then(|word| text::number(word.as_bytes()));
            let level = attribute_text(reader, &host.sys, &format!("{path}/level"));
            if let Some(disks) = disks.filter(|_| !["", "container", "imsm", "ddf"].contains(&level.as_str())) {
                out.put(&RAID_DISKS, [&device], disks);
            }
            // Arrays without redundancy have no such file.
            let degraded = attribute_number(reader, &host.sys, &format!("{path}/degraded")).unwrap_or(0);
            out.put(&DEGRADED, [&device], degraded);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn arrays_of_all_levels_and_states() {
        check(&SPEC, "node_mdadm/testdata/kernel-docs", View::Node);
    }
}
