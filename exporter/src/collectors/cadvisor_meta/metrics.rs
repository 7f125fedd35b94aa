//! Families of `cadvisor_meta`.

use metric::{Count, Desc, Family, Kind, Label};

const PROGRAM: &str = "one program on one machine";

pub(super) static VERSION: Family<Count, 5> = Family::as_named_by(
    "cadvisor",
    Kind::Gauge,
    "cadvisor_version_info",
    "Versions of the machine's kernel and system, and of the program that serves cAdvisor's families.",
    &[
        Label::open("cadvisorRevision", PROGRAM),
        Label::open("cadvisorVersion", PROGRAM),
        Label::open("dockerVersion", PROGRAM),
        Label::open("kernelVersion", PROGRAM),
        Label::open("osVersion", PROGRAM),
    ],
);
pub(super) static CONTAINER_ERROR: Family<Count, 0> = Family::as_named_by(
    "cadvisor",
    Kind::Gauge,
    "container_scrape_error",
    "Whether the containers of the machine could not be told in this scrape.",
    &[],
);
pub(super) static MACHINE_ERROR: Family<Count, 0> = Family::as_named_by(
    "cadvisor",
    Kind::Gauge,
    "machine_scrape_error",
    "Whether the machine could not be told in this scrape.",
    &[],
);
pub(super) static ALL: &[&Desc] = &[VERSION.desc(), CONTAINER_ERROR.desc(), MACHINE_ERROR.desc()];
