//! The machine's clock: time, time zone, and the clock sources of the kernel (`/sys/devices/system/clocksource`).
//!
//! The time zone is that of `/etc/localtime` of the machine, not of the agent's container; UTC without one.

use jiff::{SignedDuration, Timestamp as Moment, tz::TimeZone};
use kernfs::{Host, ReadError, Reader, text};
use metric::{Count, Desc, Family, Label, Seconds, Timestamp};

use super::node::{attribute, attribute_text, gauge, numbered};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const DEVICE: Label = Label::open("device", "one a machine");
const SOURCE: Label = Label::open("clocksource", "clock sources of the kernel");

static NOW: Family<Timestamp, 0> = gauge("node_time_seconds", "The machine's time.", &[]);
static ZONE: Family<Seconds, 1> = gauge(
    "node_time_zone_offset_seconds",
    "How far the machine's local time is ahead of UTC.",
    &[Label::open("time_zone", "abbreviations of time zones")],
);
static AVAILABLE: Family<Count, 2> =
    gauge("node_time_clocksource_available_info", "The kernel could use this clock source.", &[DEVICE, SOURCE]);
static CURRENT: Family<Count, 2> =
    gauge("node_time_clocksource_current_info", "The kernel uses this clock source.", &[DEVICE, SOURCE]);
static ALL: &[&Desc] = &[NOW.desc(), ZONE.desc(), AVAILABLE.desc(), CURRENT.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_time",
    about: "The machine's clock: time, time zone and clock sources.",
    default_on: true,
    needs: &[Need::File("sys/devices/system/clocksource"), Need::File("rootfs/etc/localtime")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "devices/system/clocksource";

#[derive(Debug)]
struct NodeTime;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeTime))
}

impl Collector for NodeTime {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, now, .. } = scrape;
        out.put(&NOW, [], Timestamp(*now));
        let (zone, offset) = zone(host, reader, *now);
        out.put(&ZONE, [&zone], offset);
        for (index, folder) in numbered(reader, &host.sys, FOLDER, "clocksource")?.into_iter().enumerate() {
            let index = index.to_string();
            let path = |file: &str| format!("{FOLDER}/{folder}/{file}");
            let available = attribute_text(reader, &host.sys, &path("available_clocksource"));
            for source in available.split_ascii_whitespace() {
                out.put(&AVAILABLE, [&index, source], true);
            }
            if let Some(source) = attribute(reader, &host.sys, &path("current_clocksource")) {
                out.put(&CURRENT, [&index, &text::text(source)], true);
            }
        }
        Ok(())
    }
}

/// Abbreviation and offset of the machine's time zone at this time.
fn zone(host: &Host, reader: &mut Reader, now: f64) -> (String, Seconds) {
    let file = local_time(host, reader);
    let zone = file.and_then(|file| TimeZone::tzif("localtime", &file).ok()).unwrap_or(TimeZone::UTC);
    let since_epoch = SignedDuration::try_from_secs_f64(now).unwrap_or_default();
    let moment = Moment::from_duration(since_epoch).unwrap_or(Moment::UNIX_EPOCH);
    let at = zone.to_offset_info(moment);
    (at.abbreviation().to_owned(), Seconds(f64::from(at.offset().seconds())))
}

/// `/etc/localtime`. It is a link, mostly absolute, which means another file when the root is not `/`.
fn local_time(host: &Host, reader: &mut Reader) -> Option<Vec<u8>> {
    let path = match reader.link(&host.rootfs, "etc/localtime") {
        Some(target) if target.starts_with('/') => target,
        Some(target) => format!("etc/{target}"),
        None => "etc/localtime".to_owned(),
    };
    reader.read(&host.rootfs, &path).ok().flatten().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn the_zone_is_that_of_the_machines_root() {
        check(&SPEC, "node_time/testdata/tokyo", View::Node);
        check(&SPEC, "node_time/testdata/vm-6-18", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut file = b"TZif2".to_vec();
            file.extend_from_slice(&bytes);
            let _ = TimeZone::tzif("localtime", &file);
        }
    }
}
