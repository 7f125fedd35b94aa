//! Families of `node_zfs`.

use metric::{Count, Desc, Discovered, Family, Kind, Label};

use crate::collectors::node::{NAMER, gauge};

const POOL: Label = Label::open("zpool", "pools of the machine");
const DATASET: Label = Label::open("dataset", "data sets of the pool");

/// States that a pool may be in.
pub(super) static STATES: [&str; 7] = ["online", "degraded", "faulted", "offline", "removed", "unavail", "suspended"];

pub(super) static STATE: Family<Count, 2> =
    gauge("node_zfs_zpool_state", "Whether the pool is in the state.", &[POOL, Label::closed("state", &STATES)]);

/// Current modules have about 300 names for the whole machine.
pub(super) static OF_MACHINE: Discovered<Count, 0> = Discovered::new(NAMER, Kind::Unknown, &[], 1500);
pub(super) static OF_POOL: Discovered<Count, 1> = Discovered::new(NAMER, Kind::Unknown, &[POOL], 100);
pub(super) static OF_DATASET: Discovered<Count, 2> = Discovered::new(NAMER, Kind::Unknown, &[POOL, DATASET], 200);

pub(super) static ALL: &[&Desc] = &[STATE.desc()];
