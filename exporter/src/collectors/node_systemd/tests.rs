//! Against a stand-in for the manager of systemd, which speaks D-Bus at the private socket.

#![allow(clippy::unused_self, clippy::unnecessary_literal_bound, reason = "the shape of methods that D-Bus calls")]

use std::{os::unix::net::UnixListener, path::Path, thread::JoinHandle};

use zbus::{blocking::connection::Builder, interface, zvariant::OwnedObjectPath};

use super::*;
use crate::{collectors::golden::run_at, config::Config};

/// What `ListUnits` gives of a unit: name, load state, active state; and the last element of its path.
const UNITS: &[(&str, &str, &str, &str)] = &[
    ("sshd.service", "loaded", "active", "sshd"),
    ("backup.service", "loaded", "failed", "backup"),
    ("gone.service", "not-found", "inactive", "gone"),
    ("backup.timer", "loaded", "active", "backup_timer"),
    ("docker.socket", "loaded", "active", "docker_socket"),
    ("data.mount", "loaded", "active", "data_mount"),
    ("user.slice", "loaded", "active", "user_slice"),
];

struct Manager;

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    #[expect(clippy::type_complexity, reason = "what systemd gives")]
    fn list_units(
        &self,
    ) -> Vec<(String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath)> {
        let path = |name: &str| OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/{name}")).unwrap();
        let text = str::to_owned;
        UNITS
            .iter()
            .map(|(name, load, state, at)| {
                let states = (text(load), text(state), text("sub"), String::new());
                let job = (0, String::new(), path("job"));
                (text(name), text("A unit"), states.0, states.1, states.2, states.3, path(at), job.0, job.1, job.2)
            })
            .collect()
    }

    #[zbus(property)]
    fn version(&self) -> &str {
        "252 (252.39-1~deb12u2)"
    }

    #[zbus(property)]
    fn virtualization(&self) -> &str {
        ""
    }

    #[zbus(property)]
    fn system_state(&self) -> &str {
        "degraded"
    }
}

struct Service {
    kind: &'static str,
    restarts: u32,
}

#[interface(name = "org.freedesktop.systemd1.Service")]
impl Service {
    #[zbus(property, name = "Type")]
    fn kind(&self) -> &str {
        self.kind
    }

    #[zbus(property)]
    fn n_restarts(&self) -> u32 {
        self.restarts
    }

    #[zbus(property)]
    fn tasks_current(&self) -> u64 {
        3
    }

    /// Without a limit.
    #[zbus(property)]
    fn tasks_max(&self) -> u64 {
        u64::MAX
    }
}

struct Started;

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl Started {
    #[zbus(property)]
    fn active_enter_timestamp(&self) -> u64 {
        1_750_000_000_250_000
    }
}

struct Timer;

#[interface(name = "org.freedesktop.systemd1.Timer")]
impl Timer {
    #[zbus(property, name = "LastTriggerUSec")]
    fn last_trigger(&self) -> u64 {
        1_740_000_000_000_000
    }
}

/// Of a version that does not count what it refuses.
struct Socket;

#[interface(name = "org.freedesktop.systemd1.Socket")]
impl Socket {
    #[zbus(property)]
    fn n_accepted(&self) -> u32 {
        7
    }

    #[zbus(property)]
    fn n_connections(&self) -> u32 {
        2
    }
}

/// Serves one client at the socket, until that goes.
fn serve(socket: &Path) -> JoinHandle<()> {
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let path = |name: &str| format!("/org/freedesktop/systemd1/{name}");
        let connection = Builder::async_io_unix_stream(stream)
            .p2p()
            .server(zbus::Guid::from_static_str("0123456789abcdef0123456789abcdef").unwrap())
            .unwrap()
            .serve_at("/org/freedesktop/systemd1", Manager)
            .unwrap()
            .serve_at(path("sshd"), Service { kind: "notify", restarts: 0 })
            .unwrap()
            .serve_at(path("sshd"), Started)
            .unwrap()
            .serve_at(path("backup"), Service { kind: "oneshot", restarts: 4 })
            .unwrap()
            .serve_at(path("backup_timer"), Timer)
            .unwrap()
            .serve_at(path("docker_socket"), Socket)
            .unwrap()
            .build()
            .unwrap();
        // Until the client goes.
        zbus::blocking::MessageIterator::from(&connection).for_each(drop);
    })
}

fn run(change: fn(&mut node::Systemd)) -> String {
    let root = tempfile::tempdir().unwrap();
    for folder in ["cgroup", "proc", "sys", "rootfs"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    let manager = serve(&root.path().join("rootfs/run/systemd/private"));
    let mut config = Config::default();
    config.collector.systemd.private = true;
    change(&mut config.collector.systemd);
    let lines = run_at(&SPEC, SPEC.build, root.path(), View::Node, config);
    manager.join().unwrap();
    lines
}

#[test]
fn units_are_shown_by_state() {
    let lines = run(|_| {});
    for line in [
        "node_systemd_version{version=\"252 (252.39-1~deb12u2)\"} 252",
        "node_systemd_virtualization_info{virtualization_type=\"none\"} 1",
        "node_systemd_system_running{} 0",
        "node_systemd_units{state=\"active\"} 5",
        "node_systemd_units{state=\"failed\"} 1",
        "node_systemd_units{state=\"inactive\"} 1",
        "node_systemd_unit_state{name=\"sshd.service\",state=\"active\",type=\"notify\"} 1",
        "node_systemd_unit_state{name=\"sshd.service\",state=\"failed\",type=\"notify\"} 0",
        "node_systemd_unit_state{name=\"backup.service\",state=\"failed\",type=\"oneshot\"} 1",
        "node_systemd_unit_state{name=\"backup.timer\",state=\"active\",type=\"\"} 1",
        "node_systemd_timer_last_trigger_seconds{name=\"backup.timer\"} 1740000000",
        "node_systemd_socket_accepted_connections_total{name=\"docker.socket\"} 7",
        "node_systemd_socket_current_connections{name=\"docker.socket\"} 2",
    ] {
        assert!(lines.lines().any(|found| found == line), "{line} is not in\n{lines}");
    }
    for absent in ["gone.service", "data.mount", "user.slice", "refused", "restart", "tasks", "start_time", "#"] {
        assert!(!lines.contains(absent), "{absent} is in\n{lines}");
    }
}

#[test]
fn options_bring_restarts_tasks_and_times() {
    let lines = run(|options| {
        options.enable_restarts_metrics = true;
        options.enable_task_metrics = true;
        options.enable_start_time_metrics = true;
        options.unit_include = "(sshd|backup)\\.service".parse().unwrap();
    });
    for line in [
        "node_systemd_service_restart_total{name=\"backup.service\"} 4",
        "node_systemd_service_restart_total{name=\"sshd.service\"} 0",
        "node_systemd_unit_tasks_current{name=\"sshd.service\"} 3",
        "node_systemd_unit_start_time_seconds{name=\"sshd.service\"} 1750000000.25",
        "node_systemd_unit_start_time_seconds{name=\"backup.service\"} 0",
    ] {
        assert!(lines.lines().any(|found| found == line), "{line} is not in\n{lines}");
    }
    assert!(!lines.contains("tasks_max") && !lines.contains("timer"), "{lines}");
}

#[test]
fn without_systemd_it_is_off() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["cgroup", "proc", "sys", "rootfs"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    let host = std::sync::Arc::new(kernfs::Host::below(root.path()).unwrap());
    let context = Context::alone(host, Config::default());
    let reason = build(&context).err().unwrap().0;
    assert!(reason.starts_with("no socket at ") && reason.ends_with("run/dbus/system_bus_socket"), "{reason}");
}
