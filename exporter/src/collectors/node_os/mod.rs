//! The operating system, from `/etc/os-release` of the machine's root.

mod parse;

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label, Timestamp};

use super::node::gauge;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const ONE: &str = "one a machine";

static INFO: Family<Count, 12> = gauge(
    "node_os_info",
    "What the operating system is.",
    &[
        Label::open("build_id", ONE),
        Label::open("id", ONE),
        Label::open("id_like", ONE),
        Label::open("image_id", ONE),
        Label::open("image_version", ONE),
        Label::open("name", ONE),
        Label::open("pretty_name", ONE),
        Label::open("variant", ONE),
        Label::open("variant_id", ONE),
        Label::open("version", ONE),
        Label::open("version_codename", ONE),
        Label::open("version_id", ONE),
    ],
);
static VERSION: Family<Count, 3> = gauge(
    "node_os_version",
    "Major and minor version of the operating system, as a number.",
    &[Label::open("id", ONE), Label::open("id_like", ONE), Label::open("name", ONE)],
);
static SUPPORT_END: Family<Timestamp, 0> =
    gauge("node_os_support_end_timestamp_seconds", "When support of the operating system ends.", &[]);
static ALL: &[&Desc] = &[INFO.desc(), VERSION.desc(), SUPPORT_END.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_os",
    about: "The operating system.",
    default_on: true,
    needs: &[Need::File("rootfs/etc/os-release")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeOs;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeOs))
}

impl Collector for NodeOs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let mut release = None;
        // The first is mostly a link to the second, which is relative; where it is not there the second counts.
        for file in ["etc/os-release", "usr/lib/os-release"] {
            if release.is_none() {
                release = reader.read(&host.rootfs, file)?.map(parse::release);
            }
        }
        let Some(release) = release else {
            scrape.nothing_there();
            return Ok(());
        };
        let names = [
            "BUILD_ID",
            "ID",
            "ID_LIKE",
            "IMAGE_ID",
            "IMAGE_VERSION",
            "NAME",
            "PRETTY_NAME",
            "VARIANT",
            "VARIANT_ID",
            "VERSION",
            "VERSION_CODENAME",
            "VERSION_ID",
        ];
        out.put(&INFO, names.map(|name| release.of(name)), true);
        if let Some(version) = release.version().filter(|version| *version > 0.0) {
            out.put(&VERSION, ["ID", "ID_LIKE", "NAME"].map(|name| release.of(name)), version);
        }
        if let Some(end) = release.support_end() {
            out.put(&SUPPORT_END, [], end);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn systems_with_and_without_an_end_of_support() {
        check(&SPEC, "node_os/testdata/debian-12", View::Node);
        check(&SPEC, "node_os/testdata/fedora-40", View::Node);
    }
}
