//! Families of `lifetime`.

use metric::{Batch, Bytes, Count, Desc, Extra, Family, Label, Nanos, Of, Ratio, Seconds};

use crate::{
    books::{
        ledger::{Ledger, Reason, Unit, Workload},
        usage::MEMORY_EVENTS,
    },
    identity::{AsContainer, AsWorkload, KINDS},
};

const RESULT: Label = Label::closed("result", &["success", "error", "signal"]);

static CPU: Family<Seconds, 0, AsWorkload> = Family::counter(
    "workload_cpu_usage_seconds_total",
    "CPU time consumed by all containers that the workload has and ever had.",
    &[],
);
static WAIT: Family<Seconds, 0, AsWorkload> = Family::counter(
    "workload_cpu_wait_seconds_total",
    "Time that tasks of the workload's containers were ready to run while others had the CPU.",
    &[],
);
static READ: Family<Bytes, 0, AsWorkload> = Family::counter(
    "workload_storage_read_bytes_total",
    "Bytes that the workload's containers had fetched from storage.",
    &[],
);
static WRITTEN: Family<Bytes, 0, AsWorkload> = Family::counter(
    "workload_storage_written_bytes_total",
    "Bytes that the workload's containers gave to be written to storage.",
    &[],
);
static STARTED: Family<Count, 0, AsWorkload> = Family::counter(
    "workload_containers_started_total",
    "Containers of the workload that were started, however short they lived.",
    &[],
);
static EXITED: Family<Count, 1, AsWorkload> = Family::counter(
    "workload_containers_exited_total",
    "Containers of the workload that ended, by how.",
    &[Label::closed("reason", &Reason::NAMES)],
);
static RUNNING: Family<Count, 0, AsWorkload> =
    Family::gauge("workload_containers", "Containers of the workload that are there.", &[]);
static PROCESSES_STARTED: Family<Count, 0, AsWorkload> = Family::counter(
    "workload_processes_started_total",
    "Processes that were started in the workload's containers.",
    &[],
);
static THREADS_STARTED: Family<Count, 0, AsWorkload> = Family::counter(
    "workload_threads_started_total",
    "Threads that were started in the workload's containers, first threads of processes not included.",
    &[],
);
static PROCESSES_ENDED: Family<Count, 1, AsWorkload> = Family::counter(
    "workload_processes_ended_total",
    "Processes of the workload's containers that ended, by how.",
    &[RESULT],
);
static MEMORY_PEAK: Family<Bytes, 0, AsWorkload> = Family::gauge(
    "workload_memory_peak_bytes",
    "The most memory that any one of the workload's ended containers had.",
    &[],
);
static MEMORY_EVENTS_SEEN: Family<Count, 1, AsWorkload> = Family::counter(
    "workload_memory_events_total",
    "Memory events of the workload's ended containers, by what the kernel calls them.",
    &[Label::closed("event", &MEMORY_EVENTS)],
);
static LIFETIME: Family<Seconds, 2> = Family::histogram(
    "container_lifetime_seconds",
    "How long ended containers lived, from the making of their cgroup to the end of their last process.",
    &[Label::open("namespace", "namespaces with pods on the node"), Label::open("workload_kind", KINDS)],
);
static CONTAINER_CPU: Family<Seconds, 0, AsContainer> = Family::counter(
    "container_cpu_accounted_seconds_total",
    "CPU time of the container's tasks, to the nanosecond; stays for a while when the container is gone.",
    &[],
);
static CONTAINER_PROCESSES_STARTED: Family<Count, 0, AsContainer> = Family::counter(
    "container_processes_started_total",
    "Processes that were started in the container; stays for a while when the container is gone.",
    &[],
);
static CONTAINER_PROCESSES_ENDED: Family<Count, 1, AsContainer> = Family::counter(
    "container_processes_ended_total",
    "Processes of the container that ended, by how; stays for a while when the container is gone.",
    &[RESULT],
);
static CONTAINER_EXIT_CODE: Family<Count, 0, AsContainer> = Family::gauge(
    "container_exit_code",
    "Exit code of an ended container's last process; 128 and the signal's number if a signal ended it.",
    &[],
);
static CONTAINER_MEMORY_PEAK: Family<Bytes, 0, AsContainer> =
    Family::gauge("container_exit_memory_peak_bytes", "The most memory that an ended container had.", &[]);
static AUDIT: Family<Seconds, 1> = Family::gauge(
    "yagura_audit_cpu_seconds",
    "CPU time since the agent began to count: of containers that are there, of those that are gone, and of tasks in the \
     root cgroup.",
    &[Label::closed("part", &["live", "dead", "root"])],
);
static AUDIT_KERNEL: Family<Seconds, 0> = Family::gauge(
    "yagura_audit_kernel_cpu_seconds",
    "CPU time since the agent began to count, by the kernel's own total.",
    &[],
);
static AUDIT_ERROR: Family<Ratio, 0> = Family::gauge(
    "yagura_audit_error_ratio",
    "Difference between the sum of yagura_audit_cpu_seconds and yagura_audit_kernel_cpu_seconds, as a ratio of the latter.",
    &[],
);

/// All of them.
pub(super) static FAMILIES: &[&Desc] = &[
    CPU.desc(),
    WAIT.desc(),
    READ.desc(),
    WRITTEN.desc(),
    STARTED.desc(),
    EXITED.desc(),
    RUNNING.desc(),
    PROCESSES_STARTED.desc(),
    THREADS_STARTED.desc(),
    PROCESSES_ENDED.desc(),
    MEMORY_PEAK.desc(),
    MEMORY_EVENTS_SEEN.desc(),
    LIFETIME.desc(),
    CONTAINER_CPU.desc(),
    CONTAINER_PROCESSES_STARTED.desc(),
    CONTAINER_PROCESSES_ENDED.desc(),
    CONTAINER_EXIT_CODE.desc(),
    CONTAINER_MEMORY_PEAK.desc(),
    AUDIT.desc(),
    AUDIT_KERNEL.desc(),
    AUDIT_ERROR.desc(),
];

/// Puts all samples.
pub(super) fn emit(ledger: &Ledger, page_size: u64, kernel_ns: Option<u64>, out: &mut Batch) {
    for workload in ledger.workloads() {
        emit_workload(workload, page_size, out);
    }
    for ((namespace, kind), histogram) in ledger.lifetimes() {
        out.put_histogram(&LIFETIME, None, [namespace, kind], histogram.clone());
    }
    for unit in ledger.shown_units() {
        emit_unit(unit, ledger.subject_of(unit, out), page_size, out);
    }
    let audit = ledger.audit();
    for (part, ns) in [("live", audit.live_ns), ("dead", audit.dead_ns), ("root", audit.root_ns)] {
        out.put(&AUDIT, [part], Nanos(ns));
    }
    if let Some(kernel_ns) = kernel_ns {
        out.put(&AUDIT_KERNEL, [], Nanos(kernel_ns));
        let error = if kernel_ns == 0 { 0.0 } else { audit.total_ns() as f64 / kernel_ns as f64 - 1.0 };
        out.put(&AUDIT_ERROR, [], Ratio(error));
    }
}

fn emit_workload(workload: &Workload, page_size: u64, out: &mut Batch) {
    let Workload { key, totals, .. } = workload;
    let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
    let extra = || Extra { created: Some(workload.created), exemplar: None };
    out.put_with(&CPU, Some(of), [], Nanos(totals.cpu_ns), extra());
    out.put_with(&WAIT, Some(of), [], Nanos(totals.wait_ns), extra());
    out.put_with(&READ, Some(of), [], Bytes(totals.read_bytes), extra());
    out.put_with(&WRITTEN, Some(of), [], Bytes(totals.written_bytes), extra());
    out.put_with(&STARTED, Some(of), [], count(workload.started), extra());
    for (reason, number) in Reason::NAMES.iter().zip(workload.exited) {
        out.put_with(&EXITED, Some(of), [reason], count(number), extra());
    }
    out.put_of(&RUNNING, of, [], count(workload.running));
    out.put_with(&PROCESSES_STARTED, Some(of), [], count(totals.processes_started), extra());
    let threads = totals.tasks_started.saturating_sub(totals.processes_started);
    out.put_with(&THREADS_STARTED, Some(of), [], count(threads), extra());
    let ended = [("success", totals.ended_ok), ("error", totals.ended_error), ("signal", totals.ended_signal)];
    for (result, number) in ended {
        out.put_with(&PROCESSES_ENDED, Some(of), [result], count(number), extra());
    }
    if workload.peak_pages > 0 {
        out.put_of(&MEMORY_PEAK, of, [], Bytes(workload.peak_pages * page_size));
    }
    for (event, number) in MEMORY_EVENTS.iter().zip(workload.memory_events) {
        out.put_with(&MEMORY_EVENTS_SEEN, Some(of), [event], count(number), extra());
    }
}

fn emit_unit(unit: &Unit, of: Of<AsContainer>, page_size: u64, out: &mut Batch) {
    let extra = || Extra { created: Some(unit.created), exemplar: None };
    let totals = &unit.totals;
    out.put_with(&CONTAINER_CPU, Some(of), [], Nanos(totals.cpu_ns), extra());
    out.put_with(&CONTAINER_PROCESSES_STARTED, Some(of), [], count(totals.processes_started), extra());
    let ended = [("success", totals.ended_ok), ("error", totals.ended_error), ("signal", totals.ended_signal)];
    for (result, number) in ended {
        out.put_with(&CONTAINER_PROCESSES_ENDED, Some(of), [result], count(number), extra());
    }
    if unit.closed.is_some()
        && let Some(status) = unit.status
    {
        let code = if status.trailing_zeros() >= 7 { (status >> 8) & 0xff } else { 128 + (status & 0x7f) };
        out.put_of(&CONTAINER_EXIT_CODE, of, [], Count(f64::from(code)));
    }
    if unit.closed.is_some() && unit.memory.peak_pages > 0 {
        out.put_of(&CONTAINER_MEMORY_PEAK, of, [], Bytes(unit.memory.peak_pages * page_size));
    }
}

fn count(number: u64) -> Count {
    Count(number as f64)
}
