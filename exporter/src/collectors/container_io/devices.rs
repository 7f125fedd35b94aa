//! Names of block devices, from `/sys/dev/block/<major>:<minor>/uevent`, kept for a minute.

use std::collections::HashMap;

use kernfs::{Host, Reader};

use super::parse::{self, Number};
use crate::mounts::Mounted;

const EVERY: f64 = 60.0;

/// How a device is called in labels.
#[derive(Debug)]
pub(super) struct Device {
    /// `/dev/vda`; the numbers, `254:0`, when sysfs does not know the device, so that two such stay apart.
    pub(super) name: String,
    /// As cAdvisor calls it: empty for devices that it does not name, unless they are mounted.
    pub(super) shown: String,
    pub(super) major: String,
    pub(super) minor: String,
}

/// All devices that were asked for.
#[derive(Debug, Default)]
pub(super) struct Devices {
    known: HashMap<Number, Device>,
    since: f64,
}

impl Devices {
    /// To be called first in a scrape.
    pub(super) fn begin(&mut self, now: f64) {
        if now - self.since > EVERY {
            self.known.clear();
            self.since = now;
        }
    }

    /// Looks the devices up that are not known yet.
    pub(super) fn learn(
        &mut self,
        numbers: impl Iterator<Item = Number>,
        mounted: &[Mounted],
        host: &Host,
        reader: &mut Reader,
    ) {
        for (major, minor) in numbers {
            self.known.entry((major, minor)).or_insert_with(|| {
                let uevent = reader.read(&host.sys, &format!("dev/block/{major}:{minor}/uevent"));
                let name = uevent.ok().flatten().and_then(parse::device_name);
                let shown = match &name {
                    Some(name) if !parse::is_unnamed(name) => name.clone(),
                    _ => {
                        let mount = mounted.iter().find(|mounted| mounted.number == (major, minor));
                        mount.map_or_else(String::new, |mounted| mounted.device.clone())
                    }
                };
                let name = name.unwrap_or_else(|| format!("{major}:{minor}"));
                Device { name, shown, major: major.to_string(), minor: minor.to_string() }
            });
        }
    }

    /// Whether a family that names devices and nothing more has a series for this one. Of several devices that cAdvisor
    /// does not name only the first can have one.
    pub(super) fn is_apart(&self, number: Number, all: impl Iterator<Item = Number>) -> bool {
        let is_unnamed = |number| self.of(number).is_some_and(|device| device.shown.is_empty());
        !is_unnamed(number) || all.into_iter().find(|other| is_unnamed(*other)) == Some(number)
    }

    /// A device that was looked up.
    pub(super) fn of(&self, number: Number) -> Option<&Device> {
        self.known.get(&number)
    }
}
