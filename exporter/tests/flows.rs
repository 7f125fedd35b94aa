//! A line of JSON for each connection that is over and each program that is started, from the agent as it is run.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;
mod machine;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use common::{Folder, alone, owner_root, unable};
use machine::{Agent, off, program};
use yagura_exporter::{
    config::Config,
    events::{Kind, started::Started},
    probes::{exec, lifetime},
    spec::{Context, View},
};

#[test]
fn each_connection_that_is_over_has_a_line() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("flows.json");
    let agent = Agent::start(program().arg(format!("--events.flows={}", file.display())));
    if let Some(reason) = off(&agent.page(View::Own), "tcp") {
        return testkit::skipped(&format!("tcp is off: {reason}"));
    }
    let folder = Folder::make(&owner_root().unwrap(), "flows");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    alone.within(&folder, || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut served, _) = listener.accept().unwrap();
        stream.write_all(&[7; 1000]).unwrap();
        served.read_exact(&mut [0; 1000]).unwrap();
        served.write_all(&[7; 30]).unwrap();
        stream.read_exact(&mut [0; 30]).unwrap();
        drop(stream);
        assert_eq!(served.read(&mut [0; 8]).unwrap(), 0);
        drop(served);
        drop(listener);
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    let mine = loop {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mine: Vec<_> = lines
            .filter(|flow| {
                flow["peer_port"] == port && flow["direction"] == "outbound" && flow["process"] == std::process::id()
            })
            .collect();
        if mine.len() == 2 || Instant::now() > deadline {
            break mine;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let told: Vec<_> = mine
        .iter()
        .map(|flow| {
            (
                flow["outcome"].as_str().unwrap(),
                flow["sent_bytes"].as_u64().unwrap(),
                flow["received_bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("closed", 1000, 30), ("refused", 0, 0)], "{mine:#?}");
    let [closed, refused] = mine.as_slice() else { unreachable!("there are two") };
    assert_eq!((&closed["opened"], &refused["opened"]), (&true.into(), &false.into()));
    assert_eq!(
        (&closed["peer_address"], &closed["container"]),
        (&"127.0.0.1".into(), &folder.name().trim_start_matches('/').into())
    );
    assert!(closed["seconds"].as_f64().unwrap() >= closed["connect_seconds"].as_f64().unwrap());
}

#[test]
fn each_program_that_is_started_has_a_line() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("starts.json");
    let agent = Agent::start(program().arg(format!("--events.starts={}", file.display())));
    if let Some(reason) = off(&agent.page(View::Own), "exec") {
        return testkit::skipped(&format!("exec is off: {reason}"));
    }
    let folder = Folder::make(&owner_root().unwrap(), "starts");
    let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let children: Vec<u32> = alone.within(&folder, || {
        let start = |_| {
            let mut child = Command::new("/bin/true").spawn().unwrap();
            let process = child.id();
            assert!(child.wait().unwrap().success());
            process
        };
        (0..3).map(start).collect()
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    let mine = loop {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mine: Vec<_> = lines
            .filter(|start| children.iter().any(|child| start["process"] == *child) && start["file"] == "/bin/true")
            .collect();
        if mine.len() == children.len() || Instant::now() > deadline {
            break mine;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(mine.len(), children.len(), "{mine:#?}");
    for (start, child) in mine.iter().zip(&children) {
        assert_eq!(start["process"], *child, "in order");
        assert_eq!((&start["command"], &start["uid"]), (&"true".into(), &0.into()));
        assert_eq!(start["container"], folder.name().trim_start_matches('/'));
        let time = start["time"].as_f64().unwrap();
        assert!((before - 1.0..before + 20.0).contains(&time), "{time} and {before}");
    }
}

#[test]
fn a_probe_that_runs_already_sends_events_when_somebody_follows() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let context = Context::alone(common::host(), Config::default());
    let built = [&lifetime::SPEC, &exec::SPEC].map(|spec| (spec.build)(&context));
    if let Some(reason) = built.iter().find_map(|built| built.as_ref().err()) {
        return testkit::skipped(&format!("exec is off: {reason}"));
    }
    // Nobody wanted events when the programs were loaded; a slice that a reload switches on comes like this.
    context.feeds.set_listened([Kind::Started]);
    let starts = context.feeds.follow::<Started>(1024);
    let mut child = Command::new("/bin/true").spawn().unwrap();
    let process = child.id();
    assert!(child.wait().unwrap().success());
    let told = std::iter::from_fn(|| starts.recv_timeout(Duration::from_secs(20)).ok());
    let mine = told.into_iter().find(|start| start.process == process).expect("its start was told");
    assert_eq!((mine.file.as_str(), mine.command.as_str()), ("/bin/true", "true"));
}

#[test]
fn what_a_container_used_is_on_the_page_of_workloads() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let agent = Agent::start(&mut program());
    if let Some(reason) = off(&agent.page(View::Own), "lifetime") {
        return testkit::skipped(&format!("lifetime is off: {reason}"));
    }
    let folder = Folder::make(&owner_root().unwrap(), "workloads");
    let container = folder.0.join("one");
    std::fs::create_dir(&container).unwrap();
    let line = format!("echo 0 > {}/cgroup.procs; for i in $(seq 10000); do :; done", container.display());
    assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
    std::fs::remove_dir(&container).unwrap();
    let row = format!("<th scope=\"row\"><div>{}</div>", folder.name());
    let page = || {
        let reply = agent.get("/workloads").unwrap();
        assert_eq!(reply.status, 200);
        for header in ["content-type: text/html; charset=utf-8\r\n", "content-security-policy: default-src 'none'"] {
            assert!(reply.head.contains(header), "{}", reply.head);
        }
        String::from_utf8(reply.body).unwrap()
    };
    let shown = testkit::wait_for(Duration::from_secs(10), || page().contains(&row).then_some(()));
    assert!(shown.is_some(), "no {row} in {}", page());
}
