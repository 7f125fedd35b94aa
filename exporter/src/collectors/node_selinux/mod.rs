//! Whether `SELinux` is on and enforces: `/sys/fs/selinux/enforce` is there when it is on, and `/etc/selinux/config`
//! says what the next boot brings.

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family};

use super::node::{attribute, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static ENABLED: Family<Count, 0> = gauge("node_selinux_enabled", "Whether SELinux is on.", &[]);
static CONFIG: Family<Count, 0> = gauge(
    "node_selinux_config_mode",
    "What the configuration asks of SELinux: 1 enforcing, 0 permissive, -1 disabled.",
    &[],
);
static CURRENT: Family<Count, 0> =
    gauge("node_selinux_current_mode", "What SELinux does: 1 enforcing, 0 permissive.", &[]);
static ALL: &[&Desc] = &[ENABLED.desc(), CONFIG.desc(), CURRENT.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_selinux",
    about: "Whether SELinux is on and enforces.",
    default_on: true,
    needs: &[Need::File("sys/fs/selinux"), Need::File("rootfs/etc/selinux/config")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeSelinux;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeSelinux))
}

impl Collector for NodeSelinux {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(enforces) = attribute(reader, &host.sys, "fs/selinux/enforce").map(|word| word == b"1") else {
            out.put(&ENABLED, [], false);
            return Ok(());
        };
        out.put(&ENABLED, [], true);
        let config = reader.read(&host.rootfs, "etc/selinux/config")?.map_or(-1, configured);
        out.put(&CONFIG, [], config);
        out.put(&CURRENT, [], enforces);
        Ok(())
    }
}

fn configured(file: &[u8]) -> i32 {
    let mode = text::lines(file).filter_map(|line| line.trim_ascii().strip_prefix(b"SELINUX=")).last();
    match mode.map(<[u8]>::trim_ascii) {
        Some(b"enforcing") => 1,
        Some(b"permissive") => 0,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn off_and_enforcing() {
        check(&SPEC, "node_selinux/testdata/vm-6-18", View::Node);
        check(&SPEC, "node_selinux/testdata/enforcing", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!((-1..=1).contains(&configured(&bytes)));
        }
    }
}
