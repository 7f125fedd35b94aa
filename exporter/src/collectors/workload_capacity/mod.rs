//! Requests and usage of workloads with pods on this node, pods that exceed them, and owners.
//!
//! Source: the requests and limits of pods, as Kubernetes tells them, and of each container `cpu.stat` (version 1:
//! `cpuacct.usage` too) and `memory.current` (`memory.usage_in_bytes`). With prices it is said what that costs. Amounts
//! times seconds are added up from scrape to scrape: what a pod asked for while nobody scraped counts, as long as it is
//! there at the next scrape.

mod metrics;
mod parse;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use expo::{ParsedFamily, ParsedKind, ParsedSample};
use kernfs::{ReadError, Reader, text};
use kubernetes::WorkloadRef;
use metric::{Batch, Count, Extra, Seconds};

use crate::{
    config::Prices,
    identity::{
        AsWorkload, Controller, Group, GroupKind, Layout, PerGroup, Pods, Version,
        pods::{self, Amounts, Pod},
    },
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "workload_capacity",
    about: "What workloads asked for and use, which of their pods are in want, whom they belong to.",
    default_on: true,
    needs: &[Need::File("cgroup/…/cpu.stat"), Need::File("cgroup/…/memory.current")],
    shows: &[(View::Own, metrics::FAMILIES)],
    build,
};

/// A longer time without a scrape counts as this much, in seconds: who knows what was in between.
const LONGEST_GAP: f64 = 300.0;
/// How long a workload's sums stay when its last pod has gone, in seconds.
const RETAIN: f64 = 3600.0;
const HOUR: f64 = 3600.0;
const GIB: f64 = 1_073_741_824.0;
/// The least time over which CPU in use is measured, in seconds.
const WINDOW: f64 = 10.0;
/// How long a container counts as throttled after it was, in seconds.
const THROTTLED_FOR: f64 = 60.0;
/// What part of its limit is near it.
const NEAR: f64 = 0.9;

struct Capacity {
    pods: Pods,
    sums: BTreeMap<WorkloadRef, Sums>,
    cpu: PerGroup<Seen>,
    scraped: Option<f64>,
    prices: Prices,
}

/// What was seen of a container's CPU. Whoever scrapes, and however often, moves no window of another: a rate is taken
/// over [`WINDOW`] at least, and a container counts as throttled for [`THROTTLED_FOR`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    stat: parse::CpuStat,
    /// Time and CPU time at the beginning of the window.
    base: (f64, f64),
    /// Those that will be the next beginning.
    next: (f64, f64),
    /// When throttling was last seen to have risen.
    throttled: Option<f64>,
}

impl Seen {
    fn first(stat: parse::CpuStat, now: f64) -> Self {
        let point = (now, stat.usage);
        Self { stat, base: point, next: point, throttled: None }
    }

    /// What is seen now, and the CPUs in use; none before there is a window.
    fn again(mut self, stat: parse::CpuStat, now: f64) -> (Self, Option<f64>) {
        if stat.throttled > self.stat.throttled {
            self.throttled = Some(now);
        }
        self.stat = stat;
        if now - self.next.0 >= WINDOW {
            (self.base, self.next) = (self.next, (now, stat.usage));
        }
        let (since, before) = self.base;
        (self, (now > since).then(|| (stat.usage - before).max(0.0) / (now - since)))
    }

    fn is_throttled(&self, now: f64) -> bool {
        self.throttled.is_some_and(|when| now - when < THROTTLED_FOR)
    }
}

/// What rises.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    cpu_requested: f64,
    cpu_used: f64,
    memory_requested: f64,
    memory_used: f64,
    /// Of CPU and memory.
    cost: [f64; 2],
    created: f64,
    touched: f64,
}

/// What a pod uses now.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// CPU time since the scrape before, in seconds.
    cpu: f64,
    /// CPUs in use.
    cpus: f64,
    memory: f64,
    throttled: bool,
    near_memory_limit: bool,
}

/// A workload's pods.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Want {
    phases: [(&'static str, u64); 5],
    evicted: u64,
    over_cpu: u64,
    over_memory: u64,
    near_memory_limit: u64,
    throttled: u64,
    running: bool,
}

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    // Pods are asked for once all collectors are built.
    let off = pods::off(&context.config.kubernetes).filter(|_| !context.pods.is_on());
    if let Some(reason) = off {
        return Err(Unavailable(format!("nobody tells of pods: {reason}")));
    }
    Ok(Box::new(Capacity {
        pods: context.pods.clone(),
        sums: BTreeMap::new(),
        cpu: PerGroup::default(),
        scraped: None,
        prices: context.config.prices.clone(),
    }))
}

impl Collector for Capacity {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        if !self.pods.is_on() {
            return Ok(());
        }
        let layout = Arc::clone(scrape.tree.layout());
        let passed = self.scraped.map_or(0.0, |scraped| (scrape.now - scraped).clamp(0.0, LONGEST_GAP));
        self.scraped = Some(scrape.now);
        self.cpu.begin();
        let mut uses: HashMap<(String, String), Use> = HashMap::new();
        for group in scrape.tree.groups() {
            if group.kind != GroupKind::Container || group.labels.pod.is_empty() {
                continue;
            }
            let key = (group.labels.namespace.clone(), group.labels.pod.clone());
            match self.usage(group, &layout, scrape.reader, scrape.now) {
                Ok(used) => uses.entry(key).or_default().add(used),
                Err(problem) => scrape.problems.push(problem),
            }
        }
        let mut wants: BTreeMap<WorkloadRef, Want> = BTreeMap::new();
        let mut rows: Vec<[String; 5]> = Vec::new();
        let mut labels: Vec<Vec<String>> = Vec::new();
        let mut contacts: BTreeMap<WorkloadRef, Vec<String>> = BTreeMap::new();
        self.pods.each(|pod, whose| {
            let used = uses.get(&((*pod.namespace).to_owned(), (*pod.name).to_owned())).copied().unwrap_or_default();
            wants.entry(pod.workload.clone()).or_default().add(pod, used);
            let WorkloadRef { namespace, name, kind } = &pod.workload;
            rows.push([namespace, &pod.name, name, *kind, pod.phase].map(|text: &str| text.to_owned()));
            labels.push(pod.labels.iter().map(|value| (**value).to_owned()).collect());
            if whose.iter().any(|value| !value.is_empty()) {
                contacts.insert(pod.workload.clone(), whose.iter().map(|value| (*value).to_owned()).collect());
            }
            let sums = self.sums.entry(pod.workload.clone());
            let sums = sums.or_insert_with(|| Sums { created: scrape.now, ..Sums::default() });
            sums.add(pod, used, passed, scrape.now, &self.prices);
        });
        self.sums.retain(|_, sums| scrape.now - sums.touched < RETAIN);
        let [of_pods, of_owners] = self.pods.label_names();
        self.emit(&wants, scrape.out);
        emit_pods(&rows, &labels, &of_pods, scrape);
        emit_owners(&contacts, &of_owners, scrape);
        Ok(())
    }
}

impl Capacity {
    fn usage(&mut self, group: &mut Group, layout: &Layout, reader: &mut Reader, now: f64) -> Result<Use, ReadError> {
        let seen = self.cpu.of(group).copied();
        let stat = cpu(group, layout, reader, seen)?;
        // A container that was not seen before is younger than the last scrape, or the agent is.
        let begun = if self.sums.is_empty() { stat } else { parse::CpuStat::default() };
        let before = seen.map_or(begun, |seen| seen.stat);
        let (seen, cpus) = match seen {
            Some(seen) => seen.again(stat, now),
            None => (Seen { stat: before, ..Seen::first(stat, now) }.again(stat, now).0, None),
        };
        self.cpu.remember(group, seen);
        let memory = if let Some(usage) = group.known.memory.or(group.counted.memory.map(|counted| counted.usage)) {
            Some(usage)
        } else {
            let v2 = layout.version(Controller::Memory) == Some(Version::V2);
            let name = if v2 { "memory.current" } else { "memory.usage_in_bytes" };
            group.read(layout, Controller::Memory, name, reader)?.and_then(text::only_number)
        };
        let memory = memory.unwrap_or(0) as f64;
        let limit = group.memory_limits(layout, reader, now)?.and_then(|limits| limits.limit);
        Ok(Use {
            cpu: (stat.usage - before.usage).max(0.0),
            cpus: cpus.unwrap_or(0.0),
            memory,
            throttled: seen.is_throttled(now),
            near_memory_limit: limit.is_some_and(|limit| memory >= limit.0 as f64 * NEAR),
        })
    }

    fn emit(&self, wants: &BTreeMap<WorkloadRef, Want>, out: &mut Batch) {
        for (workload, sums) in &self.sums {
            let WorkloadRef { namespace, name, kind } = workload;
            let of = out.subject::<AsWorkload, 3>([namespace, name, kind]);
            let extra = || Extra { created: Some(sums.created), exemplar: None };
            out.put_with(&metrics::CPU_REQUESTED, Some(of), [], Seconds(sums.cpu_requested), extra());
            out.put_with(&metrics::CPU_USED, Some(of), [], Seconds(sums.cpu_used), extra());
            out.put_with(&metrics::MEMORY_REQUESTED, Some(of), [], Count(sums.memory_requested), extra());
            out.put_with(&metrics::MEMORY_USED, Some(of), [], Count(sums.memory_used), extra());
            let priced = [("cpu", self.prices.cpu_hour), ("memory", self.prices.memory_gib_hour)];
            for ((resource, price), cost) in priced.into_iter().zip(sums.cost) {
                if price > 0.0 {
                    let labels = [resource, &self.prices.currency];
                    out.put_with(&metrics::COST, Some(of), labels, Count(cost), extra());
                }
            }
            let Some(want) = wants.get(workload) else { continue };
            for (phase, count) in want.phases.iter().filter(|(_, count)| *count > 0) {
                out.put_of(&metrics::PODS_THERE, of, [phase], Count(*count as f64));
            }
            out.put_of(&metrics::EVICTED, of, [], Count(want.evicted as f64));
            if want.running {
                out.put_of(&metrics::OVER_CPU_REQUEST, of, [], Count(want.over_cpu as f64));
                out.put_of(&metrics::OVER_MEMORY_REQUEST, of, [], Count(want.over_memory as f64));
                out.put_of(&metrics::NEAR_MEMORY_LIMIT, of, [], Count(want.near_memory_limit as f64));
                out.put_of(&metrics::THROTTLED, of, [], Count(want.throttled as f64));
            }
        }
    }
}

/// Time used and throttling: what this scrape has read already, else of files.
fn cpu(
    group: &mut Group,
    layout: &Layout,
    reader: &mut Reader,
    seen: Option<Seen>,
) -> Result<parse::CpuStat, ReadError> {
    if let Some(usage) = group.known.cpu {
        let throttled = group.known.throttled.or(seen.map(|seen| seen.stat.throttled)).unwrap_or(0);
        return Ok(parse::CpuStat { usage, throttled });
    }
    let file = group.read(layout, Controller::Cpu, "cpu.stat", reader)?;
    let mut stat = file.map(parse::cpu_stat).unwrap_or_default();
    if layout.version(Controller::Cpu) != Some(Version::V2) {
        let usage = group.read(layout, Controller::Cpuacct, "cpuacct.usage", reader)?.and_then(text::only_number);
        stat.usage = usage.unwrap_or(0) as f64 / 1e9;
    }
    Ok(stat)
}

impl Use {
    fn add(&mut self, more: Self) {
        self.cpu += more.cpu;
        self.cpus += more.cpus;
        self.memory += more.memory;
        self.throttled |= more.throttled;
        self.near_memory_limit |= more.near_memory_limit;
    }
}

/// What a pod's containers that last ask for together; `None` where none says anything.
fn requests(pod: &Pod) -> (Option<f64>, Option<f64>) {
    let sum = |of: fn(&Amounts) -> Option<f64>| {
        let lasting = pod.containers.iter().filter(|container| container.lasts);
        lasting.filter_map(|container| of(&container.amounts)).reduce(|a, b| a + b)
    };
    // What has a limit and asks for nothing asks for its limit.
    (sum(|of| of.cpu_request.or(of.cpu_limit)), sum(|of| of.memory_request.or(of.memory_limit)))
}

impl Want {
    fn add(&mut self, pod: &Pod, used: Use) {
        if let Some(slot) = self.phases.iter_mut().find(|(phase, _)| *phase == pod.phase || phase.is_empty()) {
            *slot = (pod.phase, slot.1 + 1);
        }
        self.evicted += u64::from(pod.phase == "Failed" && *pod.reason == *"Evicted");
        if pod.phase != "Running" {
            return;
        }
        self.running = true;
        let (cpu, memory) = requests(pod);
        self.over_cpu += u64::from(cpu.is_some_and(|cpu| used.cpus > cpu));
        self.over_memory += u64::from(memory.is_some_and(|memory| used.memory > memory));
        self.near_memory_limit += u64::from(used.near_memory_limit);
        self.throttled += u64::from(used.throttled);
    }
}

impl Sums {
    fn add(&mut self, pod: &Pod, used: Use, passed: f64, now: f64, prices: &Prices) {
        self.touched = now;
        if pod.phase != "Running" {
            return;
        }
        let (cpu, memory) = requests(pod);
        let [cpu, memory] = [cpu, memory].map(|amount| amount.unwrap_or(0.0) * passed);
        let memory_used = used.memory * passed;
        self.cpu_requested += cpu;
        self.memory_requested += memory;
        self.cpu_used += used.cpu;
        self.memory_used += memory_used;
        let [of_cpu, of_memory] = &mut self.cost;
        *of_cpu += cpu.max(used.cpu) * prices.cpu_hour / HOUR;
        *of_memory += memory.max(memory_used) * prices.memory_gib_hour / HOUR / GIB;
    }
}

/// A row a pod; with labels that only the configuration knows it is a family that no declaration describes in full.
fn emit_pods(rows: &[[String; 5]], labels: &[Vec<String>], names: &[String], scrape: &mut Scrape<'_>) {
    if names.is_empty() {
        for [namespace, pod, workload, kind, phase] in rows {
            scrape.out.put(&metrics::POD, [namespace, pod, workload, kind, phase], 1_u8);
        }
        return;
    }
    let desc = metrics::POD.desc();
    let sample = |(row, values): (&[String; 5], &Vec<String>)| {
        let own = desc.labels.iter().map(|label| label.name.to_owned()).zip(row.iter().cloned());
        let more = names.iter().cloned().zip(values.iter().cloned()).filter(|(_, value)| !value.is_empty());
        ParsedSample {
            name: desc.name.to_owned(),
            labels: own.chain(more).collect(),
            value: 1.0,
            ..ParsedSample::default()
        }
    };
    let samples = rows.iter().zip(labels).map(sample).collect();
    scrape.others.families.push(family(desc.name, desc.help, samples));
}

fn emit_owners(contacts: &BTreeMap<WorkloadRef, Vec<String>>, names: &[String], scrape: &mut Scrape<'_>) {
    if contacts.is_empty() {
        return;
    }
    let desc = metrics::OWNER.desc();
    let sample = |(WorkloadRef { namespace, name, kind }, values): (&WorkloadRef, &Vec<String>)| {
        let own = [("namespace", &**namespace), ("workload", name), ("workload_kind", kind)];
        let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let more = names.iter().cloned().zip(values.iter().cloned()).filter(|(_, value)| !value.is_empty());
        let labels = own.into_iter().chain(more).collect();
        ParsedSample { name: desc.name.to_owned(), labels, value: 1.0, ..ParsedSample::default() }
    };
    let samples = contacts.iter().map(sample).collect();
    scrape.others.families.push(family(desc.name, desc.help, samples));
}

fn family(name: &str, help: &str, samples: Vec<ParsedSample>) -> ParsedFamily {
    ParsedFamily { name: name.to_owned(), help: help.to_owned(), kind: ParsedKind::Gauge, unit: String::new(), samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::pods::tests::told;

    fn pod(phase: &str, reason: &str) -> Pod {
        told(&format!(
            r#"{{"metadata":{{"uid":"u","namespace":"shop","name":"web"}},
            "spec":{{"initContainers":[{{"name":"once","resources":{{"requests":{{"cpu":"9"}}}}}}],
            "containers":[{{"name":"a","resources":{{"requests":{{"cpu":"250m","memory":"1Mi"}}}}}},
            {{"name":"b","resources":{{"limits":{{"cpu":"500m"}}}}}}]}},
            "status":{{"phase":"{phase}","reason":"{reason}"}}}}"#
        ))
    }

    #[test]
    fn what_lasts_asks_and_a_limit_alone_is_a_request() {
        assert_eq!(requests(&pod("Running", "")), (Some(0.75), Some(1_048_576.0)));
    }

    #[test]
    fn amounts_times_seconds_are_added_up_while_a_pod_runs() {
        let mut sums = Sums::default();
        let used = Use { cpu: 2.0, memory: 100.0, ..Use::default() };
        for phase in ["Pending", "Running", "Running", "Succeeded"] {
            sums.add(&pod(phase, ""), used, 10.0, 1.0, &Prices::default());
        }
        let expected = [15.0, 4.0, 20_971_520.0, 2000.0];
        assert_eq!([sums.cpu_requested, sums.cpu_used, sums.memory_requested, sums.memory_used], expected);
    }

    #[test]
    fn the_greater_of_what_is_asked_for_and_used_costs() {
        let prices = Prices { currency: "EUR".into(), cpu_hour: 0.36, memory_gib_hour: 3.6 };
        let mut sums = Sums::default();
        // 0.75 CPUs are asked for, and 1 MiB.
        let idle = Use::default();
        sums.add(&pod("Running", ""), idle, 100.0, 1.0, &prices);
        let busy = Use { cpu: 200.0, memory: GIB, ..Use::default() };
        sums.add(&pod("Running", ""), busy, 100.0, 2.0, &prices);
        let [cpu, memory] = sums.cost;
        assert!((cpu - (75.0 + 200.0) * 1e-4).abs() < 1e-12, "{cpu}");
        assert!((memory - (100.0 / 1024.0 + 100.0) * 1e-3).abs() < 1e-12, "{memory}");
    }

    #[test]
    fn pods_in_want_are_counted() {
        let mut want = Want::default();
        let much = Use { cpus: 0.8, memory: 2e6, throttled: true, near_memory_limit: true, ..Use::default() };
        want.add(&pod("Running", ""), much);
        want.add(&pod("Running", ""), Use { cpus: 0.7, ..Use::default() });
        want.add(&pod("Running", ""), Use { cpus: 0.0, ..much });
        want.add(&pod("Failed", "Evicted"), much);
        assert_eq!(
            want.phases.iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(),
            [&("Running", 3), &("Failed", 1)]
        );
        let counts = [want.evicted, want.over_cpu, want.over_memory, want.near_memory_limit, want.throttled];
        assert_eq!(counts, [1, 1, 2, 2, 2]);
    }

    #[test]
    fn who_looks_in_between_takes_nothing_from_a_scraper() {
        let stat = |usage: f64, throttled| parse::CpuStat { usage, throttled };
        let seen = Seen::first(stat(100.0, 5), 0.0);
        let (seen, cpus) = seen.again(stat(130.0, 6), 15.0);
        assert_eq!((cpus, seen.is_throttled(15.0)), (Some(2.0), true));
        // A page for people a second after a scrape, and the next scrape.
        let (seen, cpus) = seen.again(stat(130.0, 6), 16.0);
        assert_eq!((cpus, seen.is_throttled(16.0)), (Some(30.0 / 16.0), true));
        let (seen, cpus) = seen.again(stat(145.0, 6), 30.0);
        assert_eq!((cpus, seen.is_throttled(30.0)), (Some(1.0), true));
        assert!(!seen.is_throttled(75.0));
    }
}
