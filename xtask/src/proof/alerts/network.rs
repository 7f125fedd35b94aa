//! Faults of the network: in the network namespaces of pods, and at the bridge of the cluster.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::lab::Lab;
use super::place::{Place, filled};
use super::undo::Undo;
use crate::process;

/// Rules for packets, as iptables reads them after `-A` or `-D`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Packets {
    /// The Deployment whose pods have the rules; none: the machine itself, and rules then name the cluster's bridge.
    #[serde(default)]
    of: Option<String>,
    rules: Vec<String>,
    /// Settings of the same network namespace, below `/proc/sys/net`.
    #[serde(default)]
    settings: Vec<String>,
}

/// The cluster's bridge: the only device of the machine that rules may name.
const BRIDGE: &str = "yagura0";

impl Packets {
    pub(super) fn set<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let spaces: Vec<Option<u32>> = match &self.of {
            Some(app) => processes(lab, place, app)?.into_iter().map(Some).collect(),
            None => vec![None],
        };
        let rules: Vec<String> = self.rules.iter().map(|rule| filled(rule, place)).collect();
        if self.of.is_none() {
            ensure!(rules.iter().all(|rule| rule.contains(BRIDGE)), "a rule of the machine does not name {BRIDGE}");
        }
        for &space in &spaces {
            for setting in &self.settings {
                let (name, value) = setting.split_once('=').context("a setting is name=value")?;
                let script = format!("echo {value} > /proc/sys/net/{name}");
                process::output(inside(space).args(["sh", "-c", &script]))?;
            }
            for rule in &rules {
                process::output(inside(space).args(["iptables", "-w", "-A"]).args(rule.split_whitespace()))?;
            }
        }
        Ok(Box::new(move || {
            for &space in &spaces {
                for rule in &rules {
                    let removed =
                        process::output(inside(space).args(["iptables", "-w", "-D"]).args(rule.split_whitespace()));
                    // The rules of a pod that is gone went with it.
                    if space.is_none_or(|pid| fs::metadata(format!("/proc/{pid}")).is_ok()) {
                        removed?;
                    }
                }
            }
            Ok(())
        }))
    }
}

/// A token bucket in front of a pod's device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bucket {
    of: String,
    rate: String,
    /// How long a packet may wait in it.
    latency: String,
}

impl Bucket {
    pub(super) fn set<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let spaces = processes(lab, place, &self.of)?;
        for &pid in &spaces {
            let words = ["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "burst", "3kb"];
            process::output(inside(Some(pid)).args(words).args(["rate", &self.rate, "latency", &self.latency]))?;
        }
        Ok(Box::new(move || {
            for pid in spaces {
                process::output(inside(Some(pid)).args(["tc", "qdisc", "del", "dev", "eth0", "root"])).ok();
            }
            Ok(())
        }))
    }
}

/// A command in the network namespace of a process, or of this program.
fn inside(pid: Option<u32>) -> Command {
    match pid {
        Some(pid) => {
            let mut command = Command::new("nsenter");
            command.args(["--net", "--target", &pid.to_string(), "--"]);
            command
        }
        None => Command::new("env"),
    }
}

/// A process of each pod of a Deployment: the pods' cgroups have their uids in their names.
pub(super) fn processes(lab: &Lab, place: &Place, app: &str) -> Result<Vec<u32>> {
    let label = format!("app={app}");
    let words = ["get", "pods", "-n", &place.namespace, "-l", &label, "-o", "jsonpath={.items[*].metadata.uid}"];
    let uids = lab.machine.kubectl(&words)?;
    let mut found = Vec::new();
    for uid in uids.split_whitespace() {
        let of_pod = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(uid));
        found.push(pids().find(of_pod).with_context(|| format!("no process of pod {uid}"))?);
    }
    ensure!(!found.is_empty(), "no pod of {app}");
    Ok(found)
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The name server on the pods' gateway; one for all faults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NameServer {
    /// How long `slow.*` takes.
    #[serde(default = "half_a_second")]
    slow_ms: u64,
}

const fn half_a_second() -> u64 {
    500
}

static SERVERS: Mutex<Option<(Arc<AtomicBool>, usize)>> = Mutex::new(None);
const GATEWAY: &str = "10.244.0.1:53";

impl NameServer {
    #[expect(clippy::significant_drop_tightening, reason = "one server: who comes second waits for the first")]
    pub(super) fn start<'l>(&self) -> Result<Undo<'l>> {
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, users)) = servers.as_mut() {
            *users += 1;
        } else {
            let mut socket = None;
            // The bridge has its address when the first pod is there.
            process::wait_for("the pods' gateway", Duration::from_mins(2), || {
                socket = UdpSocket::bind(GATEWAY).ok();
                socket.is_some()
            })?;
            let socket = socket.context("no socket")?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            let ended = Arc::new(AtomicBool::new(false));
            let (stop, slow) = (Arc::clone(&ended), Duration::from_millis(self.slow_ms));
            std::thread::spawn(move || answer(&socket, slow, &stop));
            *servers = Some((ended, 1));
        }
        Ok(Box::new(|| {
            let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((ended, users)) = servers.as_mut() {
                *users -= 1;
                if *users == 0 {
                    ended.store(true, Ordering::Relaxed);
                    *servers = None;
                }
            }
            Ok(())
        }))
    }
}

/// Answers questions until it is told to end; late answers wait in a queue, so that nobody else does.
fn answer(socket: &UdpSocket, slow: Duration, ended: &AtomicBool) {
    let mut late: Vec<(Instant, Vec<u8>, SocketAddr)> = Vec::new();
    let mut buffer = [0; 1500];
    while !ended.load(Ordering::Relaxed) {
        let now = Instant::now();
        late.retain(|(due, reply, to)| {
            if *due <= now {
                socket.send_to(reply, to).ok();
            }
            *due > now
        });
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let Some((reply, is_slow)) = buffer.get(..length).and_then(reply) else { continue };
        if is_slow {
            late.push((Instant::now() + slow, reply, from));
        } else {
            socket.send_to(&reply, from).ok();
        }
    }
}

/// The answer to a question, and whether it comes late; none for names that get none. RFC 1035, section 4.
fn reply(question: &[u8]) -> Option<(Vec<u8>, bool)> {
    const SERVFAIL: u8 = 2;
    let name_length = usize::from(*question.get(12)?);
    let first = question.get(13..13 + name_length)?.to_ascii_lowercase();
    let code = match first.as_slice() {
        b"silent" => return None,
        b"servfail" => SERVFAIL,
        _ => 0,
    };
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += usize::from(*question.get(end)?) + 1;
    }
    let asked = question.get(12..end + 5)?;
    let is_address = question.get(end + 1..end + 3)? == [0, 1];
    let mut reply = question.get(..2)?.to_vec();
    let answers = u8::from(code == 0 && is_address);
    reply.extend([0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    reply.extend(asked);
    if answers == 1 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    Some((reply, first == b"slow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(first: &str) -> Vec<u8> {
        let mut bytes = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for part in [first, "test"] {
            bytes.push(u8::try_from(part.len()).unwrap());
            bytes.extend(part.as_bytes());
        }
        bytes.extend([0, 0, 1, 0, 1]);
        bytes
    }

    #[test]
    fn names_say_how_they_are_answered() {
        let (failed, late) = reply(&question("servfail")).unwrap();
        assert_eq!((failed[3] & 15, failed[7], late), (2, 0, false));
        let (good, late) = reply(&question("slow")).unwrap();
        assert_eq!((good[3] & 15, good[7], late), (0, 1, true));
        assert_eq!(good.get(good.len() - 4..), Some(&[127, 0, 0, 1][..]));
        assert!(reply(&question("silent")).is_none());
        assert!(reply(&[1, 2, 3]).is_none());
    }
}
