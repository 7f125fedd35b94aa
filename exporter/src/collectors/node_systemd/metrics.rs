//! Families of `node_systemd`.

use metric::{Count, Desc, Family, Label, Timestamp};

use crate::collectors::node::{counter, gauge};

const NAME: Label = Label::open("name", "units that the patterns choose");

/// States that a unit may be in, as far as they are counted.
pub(super) static STATES: [&str; 5] = ["active", "activating", "deactivating", "inactive", "failed"];

pub(super) static STATE: Family<Count, 3> = gauge(
    "node_systemd_unit_state",
    "Whether the unit is in the state.",
    &[NAME, Label::closed("state", &STATES), Label::open("type", "types of services and of mounts")],
);
pub(super) static STARTED: Family<Timestamp, 1> =
    gauge("node_systemd_unit_start_time_seconds", "When the unit became active; 0 when it is not.", &[NAME]);
pub(super) static TASKS: Family<Count, 1> =
    gauge("node_systemd_unit_tasks_current", "Tasks that the service has.", &[NAME]);
pub(super) static TASKS_MOST: Family<Count, 1> =
    gauge("node_systemd_unit_tasks_max", "Tasks that the service may have.", &[NAME]);
pub(super) static RESTARTS: Family<Count, 1> =
    counter("node_systemd_service_restart_total", "Times that systemd restarted the service by itself.", &[NAME]);
pub(super) static TRIGGERED: Family<Timestamp, 1> =
    gauge("node_systemd_timer_last_trigger_seconds", "When the timer elapsed last; 0 when it never did.", &[NAME]);
pub(super) static ACCEPTED: Family<Count, 1> =
    counter("node_systemd_socket_accepted_connections_total", "Connections that the socket accepted.", &[NAME]);
pub(super) static CONNECTIONS: Family<Count, 1> =
    gauge("node_systemd_socket_current_connections", "Connections that the socket has.", &[NAME]);
pub(super) static REFUSED: Family<Count, 1> =
    gauge("node_systemd_socket_refused_connections_total", "Connections that the socket refused.", &[NAME]);
pub(super) static RUNNING: Family<Count, 0> =
    gauge("node_systemd_system_running", "Whether systemd calls the system running: started, and nothing failed.", &[]);
pub(super) static UNITS: Family<Count, 1> =
    gauge("node_systemd_units", "Units by state, whatever the patterns choose.", &[Label::closed("state", &STATES)]);
pub(super) static VERSION: Family<Count, 1> =
    gauge("node_systemd_version", "Version of systemd.", &[Label::open("version", "one")]);
pub(super) static VIRTUALIZATION: Family<Count, 1> = gauge(
    "node_systemd_virtualization_info",
    "In which kind of virtual machine or container systemd runs.",
    &[Label::open("virtualization_type", "one")],
);

pub(super) static ALL: &[&Desc] = &[
    STATE.desc(),
    STARTED.desc(),
    TASKS.desc(),
    TASKS_MOST.desc(),
    RESTARTS.desc(),
    TRIGGERED.desc(),
    ACCEPTED.desc(),
    CONNECTIONS.desc(),
    REFUSED.desc(),
    RUNNING.desc(),
    UNITS.desc(),
    VERSION.desc(),
    VIRTUALIZATION.desc(),
];
