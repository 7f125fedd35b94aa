//! Tests of repeated readings, and of books that the next agent continues.

use metric::Histogram;

use super::{
    super::{moment::Moment, usage::Row},
    *,
};

const SECOND: u64 = 1_000_000_000;

/// Closes what is gone for long enough after so many seconds.
fn settle(ledger: &mut Ledger, seconds: u64) -> Vec<CgroupId> {
    let now = Moment { mono_ns: seconds * SECOND, wall: seconds as f64 };
    let gone = ledger.leaving(now.mono_ns);
    ledger.settle(&gone, now);
    gone
}

/// A container whose removal the kernel's row tells at two seconds, with these events.
fn removed_with(ledger: &mut Ledger, peak_pages: u64, memory_events: [u64; 5]) {
    ledger.made(CgroupId(7), "/jobs/a", 1.0);
    let mut row = Row::default();
    (row.opened_ns, row.totals.tasks_started) = (SECOND, 1);
    (row.emptied_ns, row.last_end_ns) = (2 * SECOND, 2 * SECOND);
    (row.closed_ns, row.memory.peak_pages, row.memory.events) = (2 * SECOND, peak_pages, memory_events);
    ledger.measured([(CgroupId(7), row)].into_iter(), Moment { mono_ns: 2 * SECOND, wall: 2.0 });
}

fn memory_of_jobs(ledger: &Ledger) -> (u64, [u64; 5]) {
    let jobs = ledger.workloads().find(|workload| &*workload.key.name == "/jobs").unwrap();
    (jobs.peak_pages, jobs.memory_events)
}

#[test]
fn memory_events_told_twice_count_once_whenever_the_books_close() {
    let told = Memory { peak_pages: 30, events: [0, 0, 4, 1, 1] };
    for closed_first in [false, true] {
        let mut ledger = Ledger::new(Limits::default(), CgroupId(1));
        removed_with(&mut ledger, 20, [0, 0, 3, 1, 1]);
        if closed_first {
            settle(&mut ledger, 20);
            assert!(ledger.units().all(|unit| unit.ended), "closed");
        }
        assert_eq!(memory_of_jobs(&ledger), (20, [0, 0, 3, 1, 1]));
        ledger.memory_at_end("/jobs/a", told, 21.0);
        ledger.memory_at_end("/jobs/a", told, 22.0);
        settle(&mut ledger, 23);
        assert_eq!(memory_of_jobs(&ledger), (30, told.events), "closed first: {closed_first}");
    }
}

#[test]
fn memory_events_in_a_row_read_after_the_books_closed_reach_the_workload() {
    let mut ledger = Ledger::new(Limits::default(), CgroupId(1));
    removed_with(&mut ledger, 20, [0; 5]);
    settle(&mut ledger, 20);
    removed_with(&mut ledger, 25, [0, 0, 0, 2, 2]);
    removed_with(&mut ledger, 25, [0, 0, 0, 2, 2]);
    assert_eq!(memory_of_jobs(&ledger), (25, [0, 0, 0, 2, 2]));
}

/// Rows of a container that is there and of one that is gone, after so many seconds.
fn rows(seconds: u64) -> [(CgroupId, Row); 3] {
    let of = |cpu_ns, opened, closed| {
        let mut row = Row::default();
        (row.totals.cpu_ns, row.totals.tasks_started, row.opened_ns, row.closed_ns) = (cpu_ns, 2, opened, closed);
        if closed != 0 {
            (row.totals.tasks_ended, row.totals.ended_ok) = (2, 2);
            (row.emptied_ns, row.last_end_ns) = (closed, closed);
        }
        row
    };
    [
        (CgroupId(1), of(1000 * seconds, 0, 0)),
        (CgroupId(7), of(10 * seconds, SECOND, 0)),
        (CgroupId(8), of(77, SECOND, 2 * SECOND)),
    ]
}

fn read(ledger: &mut Ledger, rows: &[(CgroupId, Row)], seconds: u64) {
    let now = Moment { mono_ns: seconds * SECOND, wall: seconds as f64 };
    ledger.measured(rows.iter().copied(), now);
}

/// Through a file.
fn saved(ledger: &Ledger) -> Ledger {
    let text = serde_json::to_vec(ledger).unwrap();
    serde_json::from_slice::<Ledger>(&text).unwrap().continued(Limits::default(), &Pods::default())
}

fn cpu_of_jobs(ledger: &Ledger) -> u64 {
    ledger.workloads().find(|workload| &*workload.key.name == "/jobs").unwrap().totals.cpu_ns
}

fn books() -> Ledger {
    let mut ledger = Ledger::new(Limits::default(), CgroupId(1));
    ledger.made(CgroupId(7), "/jobs/a", 1.0);
    ledger.made(CgroupId(8), "/jobs/b", 1.0);
    read(&mut ledger, &rows(5), 5);
    ledger
}

#[test]
fn books_from_a_file_go_on_with_the_rows_that_they_were_written_before() {
    let mut ledger = books();
    assert_eq!(cpu_of_jobs(&ledger), 50 + 77);
    let before = ledger.audit();
    // Written before the row of what is gone was removed, found after that.
    let mut next = saved(&ledger);
    assert_eq!(settle(&mut ledger, 20), [CgroupId(8)]);
    assert_eq!(next.audit(), before);
    let [root, alive, _] = rows(21);
    read(&mut next, &[root, alive], 21);
    assert_eq!(settle(&mut next, 21), [CgroupId(8)]);
    assert_eq!(cpu_of_jobs(&next), 210 + 77);
    let workload = next.workloads().find(|workload| &*workload.key.name == "/jobs").unwrap();
    assert_eq!((workload.started, workload.exited, workload.running), (2, [1, 0, 0, 0, 0], 1));
    assert_eq!(next.lifetimes().values().map(Histogram::count).sum::<u64>(), 1);
    // The same again: the end is counted once.
    let mut third = saved(&next);
    read(&mut third, &rows(22)[..2], 22);
    settle(&mut third, 22);
    assert_eq!(third.lifetimes(), next.lifetimes());
    assert_eq!(third.audit().total_ns(), 22_000 + 220 + 77);
    let known: Vec<_> = third.units().map(|unit| (unit.path.as_str(), unit.created)).collect();
    assert!(known.contains(&("/jobs/a", 1.0)), "{known:?}");
}

#[test]
fn books_from_a_file_take_new_rows_from_zero() {
    let mut next = saved(&books());
    next.rows_are_new();
    let [root, alive, _] = rows(3);
    read(&mut next, &[root, alive], 30);
    assert_eq!(cpu_of_jobs(&next), 50 + 77 + 30);
    assert_eq!(next.audit().root_ns, 5000 + 3000);
}

#[test]
fn a_row_that_was_made_anew_counts_from_zero() {
    let mut ledger = books();
    let [root, mut alive, _] = rows(5);
    alive.1.totals.cpu_ns = 3;
    alive.1.totals.tasks_started = 1;
    read(&mut ledger, &[root, alive], 6);
    assert_eq!(cpu_of_jobs(&ledger), 50 + 77 + 3);
}

#[test]
fn a_workload_begins_with_its_first_container() {
    let ledger = books();
    assert!(ledger.workloads().all(|workload| workload.created <= 1.0));
}

#[test]
fn what_is_gone_stays_until_every_scraper_had_it_twice_or_for_five_minutes() {
    let dead = |ledger: &Ledger| ledger.units().any(|unit| unit.path == "/jobs/b");
    let mut ledger = books();
    ledger.shown("often", 5.0);
    ledger.shown("rarely", 5.0);
    settle(&mut ledger, 20);
    for seconds in [21, 22, 23] {
        ledger.shown("often", f64::from(seconds));
        settle(&mut ledger, 24);
    }
    assert!(dead(&ledger), "one scraper has not had it");
    for seconds in [60.0, 120.0] {
        ledger.shown("rarely", seconds);
    }
    let mut unseen = saved(&ledger);
    settle(&mut ledger, 121);
    assert!(!dead(&ledger), "both have");
    settle(&mut unseen, 121);
    assert!(dead(&unseen), "nobody asks");
    settle(&mut unseen, 310);
    assert!(!dead(&unseen), "five minutes");
}
