//! The steps of a fault, as sources of alerts name them, and who does them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::lab::Lab;
use super::place::Place;
use super::undo::Undo;
use super::{filesystem, instance, machine, network, objects};
/// One step. Its words are the names of the variants.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// Applies objects; deletes them.
    Objects(String),
    /// Applies a Deployment of one program and waits for it, unless it is told not to; deletes it.
    Deployment(objects::Deployment),
    /// Calls kubectl with these words; with `undo` in the end.
    Kubectl(objects::Words),
    /// Waits until `kubectl get` prints a value.
    Until(objects::Until),
    /// Sets packet rules in the network namespace of a Deployment's pods, or of the machine for a device of the cluster.
    Packets(network::Packets),
    /// Sends a pod's packets through a token bucket.
    Bucket(network::Bucket),
    /// Has a name server on the pods' gateway: `servfail.*` fails, `slow.*` takes its time, `silent.*` gets no answer.
    NameServer(network::NameServer),
    /// Makes and mounts a small file system.
    Filesystem(filesystem::Filesystem),
    /// Fills it up to a part of it.
    Fill(filesystem::Fill),
    /// Makes empty files on it until a part of its inodes is used.
    FillInodes(filesystem::Fill),
    /// Writes to it at a steady rate.
    Drip(filesystem::Drip),
    /// Mounts it again so that nothing can be written.
    Readonly {},
    /// Freezes and thaws it in turns while a program writes to a file system that lies on it.
    SlowDisk(filesystem::SlowDisk),
    /// Freezes it while a program writes, for longer than the kernel thinks right.
    Hang(filesystem::Hang),
    /// Sets the machine's limit of open files so that this part of it is used.
    FileHandles(machine::FileHandles),
    /// Starts so many busy loops a CPU.
    Busy(machine::Busy),
    /// Stops a program of the cluster (SIGSTOP), and continues it.
    Stop(machine::Program),
    /// Takes the pods' network configuration away and gives it back in turns: the node is ready and is not.
    FlapNetwork(machine::Flap),
    /// Waits until Prometheus has rows of a query.
    Seen(String),
    /// Ends the agent, and starts it again.
    AgentDown {},
    /// Scrapes the agent by a job that names no node.
    NamelessTarget {},
    /// Starts another agent, which Prometheus knows by the label `cluster`.
    Agent(instance::Agent),
    /// Ends that agent, and starts it again.
    AgentEnd {},
    /// Puts a file into the folder that it may read.
    AgentFile(instance::Given),
    /// Starts that agent again with other flags or fewer capabilities.
    AgentAgain(instance::Again),
    /// Writes to the configuration of that agent and tells it to read it.
    AgentConfig(instance::Config),
    /// Starts another kube-state, or shards of it, which Prometheus knows by the label `cluster`.
    KubeState(instance::KubeState),
    /// Ends one of its shards, and starts it again.
    ShardDown(instance::Shard),
    /// Cuts the way of further instances to the API server.
    CutApi {},
    /// Scrapes the agent that was started so that it has this time for its page.
    Hurry(instance::Hurry),
}

impl Step {
    /// Reads a step of a source.
    pub(super) fn read(written: &BTreeMap<String, Value>) -> Result<Self> {
        let map: Map<String, Value> = written.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let name = written.keys().next().cloned().unwrap_or_default();
        serde_json::from_value(Value::Object(map)).with_context(|| format!("step {name}"))
    }
}

/// Does a step; what takes it back is added.
pub(super) fn take<'l>(
    lab: &'l Lab,
    place: &Place,
    written: &BTreeMap<String, Value>,
    undos: &mut Vec<Undo<'l>>,
) -> Result<()> {
    let name = written.keys().next().cloned().unwrap_or_default();
    let step = Step::read(written)?;
    let done = match step {
        Step::Objects(text) => objects::apply(lab, place, &text),
        Step::Deployment(deployment) => deployment.apply(lab, place),
        Step::Kubectl(words) => words.call(lab, place),
        Step::Until(until) => until.wait(lab, place),
        Step::Packets(packets) => packets.set(lab, place),
        Step::Bucket(bucket) => bucket.set(lab, place),
        Step::NameServer(server) => server.start(),
        Step::Filesystem(filesystem) => filesystem.make(lab, place),
        Step::Fill(fill) => fill.bytes(lab, place),
        Step::FillInodes(fill) => fill.inodes(lab, place),
        Step::Drip(drip) => drip.start(lab, place),
        Step::Readonly {} => filesystem::readonly(place),
        Step::SlowDisk(slow) => slow.start(lab, place),
        Step::Hang(hang) => hang.start(lab, place),
        Step::FileHandles(handles) => handles.limit(),
        Step::Busy(busy) => busy.start(),
        Step::Stop(program) => program.stop(lab),
        Step::FlapNetwork(flap) => flap.start(lab),
        Step::Seen(query) => objects::seen(lab, place, &query),
        Step::AgentEnd {} => instance::end(place),
        Step::AgentFile(given) => given.put(lab, place),
        Step::AgentDown {} => instance::agent_down(lab),
        Step::NamelessTarget {} => instance::nameless(lab, place),
        Step::Agent(agent) => agent.start(lab, place),
        Step::AgentAgain(again) => again.start(lab, place),
        Step::AgentConfig(config) => config.write(lab, place),
        Step::KubeState(kube_state) => kube_state.start(lab, place),
        Step::ShardDown(shard) => shard.end(place),
        Step::CutApi {} => instance::cut(place),
        Step::Hurry(hurry) => hurry.start(lab, place),
    };
    undos.push(done.with_context(|| format!("step {name}"))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use mixin::Source;
    use mixin::alert::Alert;

    use super::*;
    use crate::{alerts, places};

    #[test]
    fn every_step_of_every_source_is_known() {
        let root = places::repo().join("alerts");
        let mut steps = 0;
        for path in alerts::files(&root).unwrap() {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let is_source = name.matches('/').count() == 1 && path.extension().is_some_and(|end| end == "yaml");
            if !is_source || name.starts_with("alertmanager/") {
                continue;
            }
            let alert: Alert = Source::new(&name, std::fs::read_to_string(&path).unwrap()).read().unwrap();
            for written in alert.fault.before.iter().chain(&alert.fault.steps) {
                Step::read(written).unwrap_or_else(|error| panic!("alerts/{name}: fault: {error:#}"));
                steps += 1;
            }
        }
        assert!(steps > 60, "{steps} steps");
    }
}
