//! Watchdog timers, from `/sys/class/watchdog` (ABI/testing/sysfs-class-watchdog). A driver shows the attributes that
//! its device has; the others have no series.

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};

use super::node::{attribute, attribute_text, descs, folder, gauge, integer};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const NAME: Label = Label::open("name", "watchdog timers of the machine");

/// Attributes that are numbers, in the order of [`NUMBERS`].
const FILES: [&str; 7] = ["bootstatus", "fw_version", "nowayout", "timeleft", "timeout", "pretimeout", "access_cs0"];
static NUMBERS: [Family<Count, 1>; 7] = [
    gauge("node_watchdog_bootstatus", "Why the machine started, as the timer's driver tells; 0 if not by it.", &[NAME]),
    gauge("node_watchdog_fw_version", "Version of the timer's firmware.", &[NAME]),
    gauge("node_watchdog_nowayout", "Whether the timer cannot be stopped once it runs.", &[NAME]),
    gauge("node_watchdog_timeleft_seconds", "Time until the timer resets the machine.", &[NAME]),
    gauge("node_watchdog_timeout_seconds", "Time without a sign of life after which the timer acts.", &[NAME]),
    gauge("node_watchdog_pretimeout_seconds", "How long before it acts the timer warns.", &[NAME]),
    gauge("node_watchdog_access_cs0", "Whether the flash chip was chosen that the machine starts from.", &[NAME]),
];
static INFO: Family<Count, 6> = gauge(
    "node_watchdog_info",
    "What the watchdog timer is.",
    &[
        NAME,
        Label::open("options", "one a timer"),
        Label::open("identity", "one a timer"),
        Label::open("state", "a few words of the kernel"),
        Label::open("status", "a few words of the kernel"),
        Label::open("pretimeout_governor", "a few words of the kernel"),
    ],
);
static DESCS: [&Desc; 7] = descs(&NUMBERS);
static ALL: &[&Desc] = &[INFO.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_watchdog",
    about: "Watchdog timers.",
    default_on: true,
    needs: &[Need::File("sys/class/watchdog")],
    shows: &[(View::Node, &DESCS), (View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/watchdog";

#[derive(Debug)]
struct NodeWatchdog;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeWatchdog))
}

impl Collector for NodeWatchdog {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(timers) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for timer in &timers {
            let path = |file: &str| format!("{FOLDER}/{timer}/{file}");
            for (file, family) in FILES.iter().zip(&NUMBERS) {
                if let Some(value) = attribute(reader, &host.sys, &path(file)).and_then(integer) {
                    out.put(family, [timer], value);
                }
            }
            let [options, identity, state, status, governor] =
                ["options", "identity", "state", "status", "pretimeout_governor"]
                    .map(|file| attribute_text(reader, &host.sys, &path(file)));
            out.put(&INFO, [timer, &options, &identity, &state, &status, &governor], true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_timer_shows_what_its_driver_has() {
        check(&SPEC, "node_watchdog/testdata/kernel-docs", View::Node);
    }
}
