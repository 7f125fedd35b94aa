//! A small thread pool for blocking work: reading kernel files, rendering pages. Threads start on demand, end after a
//! while without work, and never exceed the limit.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

type Job = Box<dyn FnOnce() + Send>;

/// Time that a thread waits for work before it ends. Longer than most scrape intervals, so that a regular scrape finds
/// a thread, and what the thread keeps, warm.
const IDLE_THREAD_STAYS: Duration = Duration::from_mins(2);

/// The threads.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    name: &'static str,
    limit: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    started: u64,
}

impl Pool {
    /// At most `limit` threads, none yet, which are called `name` and a number.
    pub(crate) fn new(name: &'static str, limit: usize) -> Self {
        Self(Arc::new(Shared { name, limit, state: Mutex::default(), work: Condvar::new() }))
    }

    /// Runs `job` on a thread of the pool, when one is free. Fails when there is no thread at all and none can be made.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.queue.push_back(Box::new(job));
        if state.idle >= state.queue.len() || state.threads >= self.0.limit {
            self.0.work.notify_one();
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let name = format!("{}-{}", shared.name, state.started);
        match thread::Builder::new().name(name).spawn(move || shared.serve()) {
            Ok(_) => {
                state.threads += 1;
                state.started += 1;
                Ok(())
            }
            Err(_) if state.threads > 0 => Ok(()),
            Err(error) => {
                state.queue.pop_back();
                Err(error)
            }
        }
    }
}

impl Shared {
    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                // A thread that a panic ended would still be counted, and no other would take its place.
                let _panicked = parking_lot::MutexGuard::unlocked(&mut state, || catch_unwind(AssertUnwindSafe(job)));
                continue;
            }
            state.idle += 1;
            let waited = self.work.wait_for(&mut state, IDLE_THREAD_STAYS);
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn threads_are_bounded_and_all_jobs_run() {
        let pool = Pool::new("lab", 3);
        let (done, results) = mpsc::channel();
        for n in 0..100 {
            let done = done.clone();
            pool.run(move || done.send((n, thread::current().name().map(str::to_owned))).unwrap()).unwrap();
        }
        let results: Vec<_> = results.iter().take(100).collect();
        let mut numbers: Vec<i32> = results.iter().map(|(n, _)| *n).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
        let names: std::collections::BTreeSet<_> = results.into_iter().map(|(_, name)| name).collect();
        assert!(names.len() <= 3, "{names:?}");
    }

    #[test]
    fn a_job_that_panics_costs_no_thread() {
        let pool = Pool::new("lab", 1);
        let (done, results) = mpsc::channel();
        for n in 0..5 {
            pool.run(|| panic!("as asked for")).unwrap();
            let done = done.clone();
            pool.run(move || done.send(n).unwrap()).unwrap();
        }
        assert_eq!(results.iter().take(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_thread_is_used_again() {
        let pool = Pool::new("lab", 8);
        let (done, results) = mpsc::channel();
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..20 {
            while pool.0.state.lock().idle == 0 && pool.0.state.lock().threads > 0 {
                thread::yield_now();
            }
            let done = done.clone();
            pool.run(move || done.send(thread::current().name().map(str::to_owned)).unwrap()).unwrap();
            names.insert(results.recv().unwrap());
        }
        assert_eq!(names.len(), 1, "{names:?}");
    }
}
