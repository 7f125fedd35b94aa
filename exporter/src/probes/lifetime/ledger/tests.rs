//! How memory that is told of more than once is counted.

use super::{super::wire::Usage, *};

const SECOND: u64 = 1_000_000_000;

/// A container whose removal the kernel's row tells at two seconds, with these events.
fn removed_with(ledger: &mut Ledger, peak_pages: u64, memory_events: [u64; 5]) {
    ledger.made(7, "/jobs/a", 1.0);
    let mut usage = Usage::default();
    (usage.opened_ns, usage.tasks_started) = (SECOND, 1);
    (usage.emptied_ns, usage.last_end_ns) = (2 * SECOND, 2 * SECOND);
    (usage.closed_ns, usage.peak_pages, usage.memory_events) = (2 * SECOND, peak_pages, memory_events);
    ledger.measured([(&7, &usage)].into_iter(), Moment { mono_ns: 2 * SECOND, wall: 2.0 });
}

fn memory_of_jobs(ledger: &Ledger) -> (u64, [u64; 5]) {
    let jobs = ledger.workloads().find(|workload| workload.key.workload == "/jobs").unwrap();
    (jobs.peak_pages, jobs.memory_events)
}

#[test]
fn memory_events_told_twice_count_once_whenever_the_books_close() {
    let told = Memory { peak_pages: 30, events: [0, 0, 4, 1, 1] };
    for closed_first in [false, true] {
        let mut ledger = Ledger::new(Limits::default(), 1);
        removed_with(&mut ledger, 20, [0, 0, 3, 1, 1]);
        if closed_first {
            ledger.settle(20 * SECOND, 20.0);
            assert!(ledger.units().all(|unit| unit.ended), "closed");
        }
        assert_eq!(memory_of_jobs(&ledger), (20, [0, 0, 3, 1, 1]));
        ledger.memory_at_end("/jobs/a", told, 21.0);
        ledger.memory_at_end("/jobs/a", told, 22.0);
        ledger.settle(23 * SECOND, 23.0);
        assert_eq!(memory_of_jobs(&ledger), (30, told.events), "closed first: {closed_first}");
    }
}

#[test]
fn memory_events_in_a_row_read_after_the_books_closed_reach_the_workload() {
    let mut ledger = Ledger::new(Limits::default(), 1);
    removed_with(&mut ledger, 20, [0; 5]);
    ledger.settle(20 * SECOND, 20.0);
    removed_with(&mut ledger, 25, [0, 0, 0, 2, 2]);
    removed_with(&mut ledger, 25, [0, 0, 0, 2, 2]);
    assert_eq!(memory_of_jobs(&ledger), (25, [0, 0, 0, 2, 2]));
}
