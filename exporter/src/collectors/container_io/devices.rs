//! Names of block devices, from `/sys/dev/block/<major>:<minor>/uevent`, kept for a minute.

use std::collections::HashMap;

use kernfs::{Host, Reader};

use super::parse::{self, Number};

const EVERY: f64 = 60.0;

/// How a device is called in labels.
#[derive(Debug)]
pub(super) struct Device {
    /// `/dev/vda`; the numbers, `254:0`, when sysfs does not know the device, so that two such stay apart.
    pub(super) name: String,
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
    pub(super) fn learn(&mut self, numbers: impl Iterator<Item = Number>, host: &Host, reader: &mut Reader) {
        for (major, minor) in numbers {
            self.known.entry((major, minor)).or_insert_with(|| {
                let uevent = reader.read(&host.sys, &format!("dev/block/{major}:{minor}/uevent"));
                let name = uevent.ok().flatten().and_then(parse::device_name);
                let name = name.unwrap_or_else(|| format!("{major}:{minor}"));
                Device { name, major: major.to_string(), minor: minor.to_string() }
            });
        }
    }

    /// A device that was looked up.
    pub(super) fn of(&self, number: Number) -> Option<&Device> {
        self.known.get(&number)
    }
}
