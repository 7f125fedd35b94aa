//! What only a process can show: signals, exit codes, command line, logs, the service manager.

#![allow(clippy::unwrap_used, reason = "what panics here fails a test")]

mod lab;

use std::{
    io::Write as _,
    os::unix::net::UnixDatagram,
    process::{Command, Output},
};

use lab::{Tower, connect, fetch, tower_path, wait_for};
use rustix::process::Signal;

fn tower(args: &[&str]) -> Output {
    Command::new(tower_path()).args(args).env("YAGURA_LOG", "").output().unwrap()
}

fn refused(args: &[&str]) -> String {
    let output = tower(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_address_that_is_taken_is_said_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Command::new(tower_path());
    command.arg(format!("--web.listen-address={address}")).env("RUST_BACKTRACE", "1");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("yagura-tower: ") && said.contains(&address), "{said}");
}

#[test]
fn sigterm_lets_a_running_scrape_finish() {
    let mut tower = Tower::start(&["--slow-ms=700"]);
    let mut idle = connect(tower.address);
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    assert_eq!(lab::receive(&mut idle, false).unwrap().status, 200);
    let address = tower.address;
    let slow = std::thread::spawn(move || fetch(address, "GET", "/metrics/slow", &[]));
    wait_for("the scrape to begin", || tower.metric("tower_http_requests_in_flight", &[]) == 2.0);
    tower.signal(Signal::TERM);
    let response = slow.join().unwrap();
    assert_eq!((response.status, response.text().as_str()), (200, "slow 1\n"));
    assert_eq!(tower.exit_code(), Some(0));
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn the_drain_has_an_end() {
    let mut tower = Tower::start(&["--slow-ms=60000", "--web.shutdown-timeout=200ms"]);
    let mut socket = connect(tower.address);
    socket.write_all(b"GET /metrics/slow HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    wait_for("the scrape to begin", || tower.metric("tower_http_requests_in_flight", &[]) == 2.0);
    let started = std::time::Instant::now();
    tower.signal(Signal::INT);
    tower.wait_for_line("shutdown timeout reached");
    assert_eq!(tower.exit_code(), Some(0));
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn sighup_reloads_and_a_bad_configuration_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tower.yaml");
    std::fs::write(&file, "series: 5\n").unwrap();
    let argument = format!("--config.file={}", file.display());
    let mut tower = Tower::start(&[&argument, "--web.enable-lifecycle"]);
    assert_eq!(tower.metric("tower_config_last_reload_successful", &[]), 1.0);
    std::fs::write(&file, "series: 6\n").unwrap();
    tower.signal(Signal::HUP);
    tower.wait_for_line("series=6");
    tower.wait_for_line("configuration reloaded");
    std::fs::write(&file, "serie: 7\n").unwrap();
    tower.signal(Signal::HUP);
    let line = tower.wait_for_line("new configuration is bad");
    assert!(line.contains("tower.yaml:1:1: key serie: unknown field"), "{line}");
    assert_eq!(tower.metric("tower_config_last_reload_successful", &[]), 0.0);
    let response = fetch(tower.address, "POST", "/-/reload", &[("Content-Length", "0")]);
    assert!(response.status == 500 && response.text().contains("key serie"), "{response:?}");
    std::fs::write(&file, "series: 8\n").unwrap();
    assert_eq!(fetch(tower.address, "PUT", "/-/reload", &[("Content-Length", "0")]).status, 200);
    assert_eq!(tower.metric("tower_config_last_reload_successful", &[]), 1.0);
    assert_eq!(tower.metric("tower_config_reload_failures_total", &[]), 2.0);
}

#[test]
fn a_reload_says_what_changed_what_waits_for_a_restart_and_that_nothing_did() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tower.yaml");
    std::fs::write(&file, "series: 5\n").unwrap();
    let mut tower = Tower::start(&[&format!("--config.file={}", file.display()), "--web.enable-lifecycle"]);
    let reload = |text: &str, tower: &Tower| {
        std::fs::write(&file, text).unwrap();
        let answer = fetch(tower.address, "POST", "/-/reload", &[("Content-Length", "0")]);
        assert_eq!(answer.status, 200);
        answer.text()
    };
    assert_eq!(reload("series: 5\n", &tower), "reloaded; no option changed\n");
    tower.wait_for_line("configuration reloaded; no option changed");
    assert_eq!(reload("series: 6\nlog: {level: debug}\n", &tower), "reloaded\nchanged: log.level, series\n");
    let line = tower.wait_for_line("configuration reloaded");
    assert!(line.contains("changed=log.level,series"), "{line}");
    // The level holds from now on.
    assert_eq!(fetch(tower.address, "GET", "/metrics", &[]).status, 200);
    tower.wait_for_line("level=debug");
    let said = reload("series: 5\nweb: {max_requests: 3}\nlog: {format: json}\n", &tower);
    assert_eq!(said, "reloaded\nneeds a restart: log.format, web.max_requests\n");
    let line = tower.wait_for_line("take effect only after a restart");
    assert!(line.contains("level=warn") && line.contains("changed=log.format,web.max_requests"), "{line}");
}

#[test]
fn reload_over_http_is_off_by_default() {
    let tower = Tower::start(&[]);
    assert_eq!(fetch(tower.address, "POST", "/-/reload", &[("Content-Length", "0")]).status, 403);
}

#[test]
fn bad_configuration_exits_2_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tower.yaml");
    let argument = format!("--config.file={}", file.display());
    let cases = [
        ("web:\n  max_request: 3\n", ":2:3: key web.max_request: unknown field `max_request`"),
        ("web:\n  max_requests: many\n", ":2:17: key web.max_requests: invalid"),
        ("web:\n  max_requests: 0\n", ":2:3: key web.max_requests: must be from 1 to 1000"),
        ("log:\n  level: loud\n", ":2:3: key log.level: `loud` is no level"),
        ("log:\n  format: xml\n", ":2:11: key log.format: "),
        ("web:\n  listen_address: ['9100']\n", ":2:3: key web.listen_address: `9100` is no address"),
        ("web:\n  shutdown_timeout: 10\n", ":2:21: key web.shutdown_timeout: a length of time"),
    ];
    for (text, expected) in cases {
        std::fs::write(&file, text).unwrap();
        for extra in ["--config.check", "--config.print"] {
            let said = refused(&[&argument, extra]);
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.starts_with(&format!("yagura-tower: {}{expected}", file.display())), "{said}\n{expected}");
        }
    }
    assert!(refused(&["--config.file=/nowhere.yaml"]).contains("/nowhere.yaml: cannot be read"));
    assert!(refused(&["--web.max-requests=many"]).contains("--web.max-requests: `many` is no whole number"));
    assert!(refused(&["--web.max-requests=5000"]).contains("--web.max-requests: must be from 1 to 1000"));
    assert!(refused(&["--web.config.file=/nowhere.yml"]).contains("/nowhere.yml: cannot be read"));
    assert!(refused(&["--web.listen-adress=:1"]).contains("--web.listen-address"), "a hint");
}

#[test]
fn a_port_that_is_taken_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = tower(&["--web.listen-address", &address]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains(&format!("cannot listen on {address}: Address already in use")),
        "{said}"
    );
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tower.yaml");
    std::fs::write(&file, "web:\n  max_requests: 7\n  enable_lifecycle: true\nlog:\n  level: warn\nseries: 1\n")
        .unwrap();
    let print = |env: &str, args: &[&str]| {
        let mut command = Command::new(tower_path());
        command.arg("--config.print").arg("--config.file").arg(&file).args(args).env("YAGURA_LOG", env);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let plain = print("", &[]);
    for line in ["max_requests: 7", "enable_lifecycle: true", "level: warn", "series: 1", "slow_ms: 1000", ":9999"] {
        assert!(plain.contains(line), "{line} in\n{plain}");
    }
    assert!(print("debug", &[]).contains("level: debug"));
    assert!(print("debug", &["--log.level=error"]).contains("level: error"));
    let flags = [
        "--web.max-requests",
        "9",
        "--no-web.enable-lifecycle",
        "--web.listen-address",
        ":1",
        "--web.listen-address=:2",
    ];
    let flagged = print("", &flags);
    for line in ["max_requests: 9", "enable_lifecycle: false", ":1", ":2"] {
        assert!(flagged.contains(line), "{line} in\n{flagged}");
    }
    assert!(!flagged.contains(":9999"));
    let again = folder.path().join("printed.yaml");
    std::fs::write(&again, &flagged).unwrap();
    let printed = tower(&["--config.print", "--config.file", again.to_str().unwrap()]);
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), flagged, "what is printed can be read");
}

#[test]
fn check_version_and_help_answer_and_exit() {
    let checked = tower(&["--config.check"]);
    assert!(checked.status.success() && String::from_utf8(checked.stdout).unwrap().contains("valid"));
    assert_eq!(String::from_utf8(tower(&["--version"]).stdout).unwrap(), "yagura-tower 0.1.0 (0123abc)\n");
    let help = String::from_utf8(tower(&["--help"]).stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "--web.listen-address <VALUE>",
        "--web.enable-lifecycle",
        "--log.format",
        "[default: info]",
        "[env: YAGURA_LOG]",
    ] {
        assert!(help.contains(part), "{part} in\n{help}");
    }
}

#[test]
fn logs_are_json_when_asked() {
    let mut tower = Tower::start(&["--log.format=json"]);
    tower.signal(Signal::TERM);
    let line = tower.wait_for_line("stopping");
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&value["level"], &value["message"], &value["signal"]),
        (&"INFO".into(), &"stopping".into(), &"SIGTERM".into())
    );
}

#[test]
fn the_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(lab::TEST_TIMEOUT)).unwrap();
    let mut command = Command::new(tower_path());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "40000");
    let mut tower = Tower::from_command(&mut command);
    let hear = |word: &str| loop {
        let mut message = [0; 500];
        let length = manager.recv(&mut message).unwrap_or_else(|error| panic!("{word}: {error}"));
        let text = String::from_utf8_lossy(&message[..length]).into_owned();
        if text.contains(word) {
            return text;
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    tower.signal(Signal::HUP);
    assert!(hear("RELOADING=1").contains("MONOTONIC_USEC="));
    hear("READY=1");
    tower.signal(Signal::TERM);
    hear("STOPPING=1");
    assert_eq!(tower.exit_code(), Some(0));
}
