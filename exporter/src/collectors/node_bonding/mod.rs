//! Bonded network devices: how many devices each has, and how many of them are up, from `/sys/class/net`
//! (networking/bonding.rst).

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};

use super::node::{attribute, attribute_text, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const MASTER: &[Label; 1] = &[Label::open("master", "bonded devices of the machine")];

static MEMBERS: Family<Count, 1> = gauge("node_bonding_slaves", "Devices that the bonded device is made of.", MASTER);
static ACTIVE: Family<Count, 1> =
    gauge("node_bonding_active", "Devices that the bonded device is made of and that are up.", MASTER);
static ALL: &[&Desc] = &[MEMBERS.desc(), ACTIVE.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_bonding",
    about: "Bonded network devices.",
    default_on: true,
    needs: &[Need::File("sys/class/net/bonding_masters")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/net";

#[derive(Debug)]
struct NodeBonding;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeBonding))
}

impl Collector for NodeBonding {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        if !reader.exists(&host.sys, &format!("{FOLDER}/bonding_masters")) {
            scrape.nothing_there();
            return Ok(());
        }
        let bonds = attribute_text(reader, &host.sys, &format!("{FOLDER}/bonding_masters"));
        for bond in bonds.split_ascii_whitespace() {
            let members = attribute_text(reader, &host.sys, &format!("{FOLDER}/{bond}/bonding/slaves"));
            let (mut all, mut up) = (0_u32, 0_u32);
            for member in members.split_ascii_whitespace() {
                all += 1;
                // Older kernels call the link `slave_`.
                let is_up = ["lower", "slave"].into_iter().any(|link| {
                    let file = format!("{FOLDER}/{bond}/{link}_{member}/bonding_slave/mii_status");
                    attribute(reader, &host.sys, &file) == Some(b"up")
                });
                up += u32::from(is_up);
            }
            out.put(&MEMBERS, [bond], all);
            out.put(&ACTIVE, [bond], up);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn devices_that_are_down_are_not_active() {
        check(&SPEC, "node_bonding/testdata/kernel-docs", View::Node);
    }
}
