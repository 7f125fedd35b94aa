//! How the cost of a scrape grows with the number of cgroups: the release binary over real ones, a pod and a container
//! each under kubelet-style paths, without processes. `make bench` runs it. `GROWTH=1000,2000` sets other numbers;
//! `FILES=100000` lets the agent keep so many descriptors, as far as the limit of this process allows.
//!
//! What counts is the cost of a cgroup: it must be much the same however many there are. Where there are more files than
//! may stay open, reading one takes opening it, so rows are compared that keep as many as the last.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may end with a panic")]

mod served;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use served::{Served, samples};
use testkit::{Cgroup, Limits, pod_path};

const ROOT: &str = "yagura-growth";
/// Real machines have hundreds; the kernel has room for 65,535 with memory accounts.
const SIZES: [usize; 3] = [500, 5_000, 50_000];
const PATHS: [&str; 3] = ["/metrics/cadvisor", "/metrics", "/metrics/node"];
/// So many cgroups are read for each row of the table, in three scrapes at least.
const READ: usize = 20_000;
/// A cgroup may cost so much more where there are many than where there are fewest.
const MOST_GROWTH: f64 = 2.0;

fn main() {
    // `cargo test` runs benches once without arguments; only `cargo bench` asks for figures.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    if !testkit::is_root() {
        testkit::skipped("making cgroups needs root");
        return;
    }
    let sizes = testkit::given("GROWTH").unwrap_or_default();
    let sizes: Vec<usize> = sizes.split(',').filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    println!("growth over HTTP; cgroups without processes, a pod and a container each");
    println!("cgroups  path                 lines   bytes   cpu ms  µs/cgroup  wall ms  first ms  rss MiB    fds");
    let mut cgroups: Vec<Cgroup> = Vec::new();
    let mut each: Vec<(usize, Vec<f64>)> = Vec::new();
    for size in sizes {
        let began = Instant::now();
        while 2 * cgroups.len() < size {
            cgroups.push(Cgroup::make(&pod_path(ROOT, cgroups.len(), 0), Limits::default()).unwrap());
        }
        let made = began.elapsed();
        each.push(measure(size));
        println!("         (made in {:.0} s)", made.as_secs_f64());
    }
    for (at, path) in PATHS.iter().enumerate().take(2) {
        let (kept_at_last, _) = each[each.len() - 1];
        let alike = each.iter().filter(|(kept, _)| *kept == kept_at_last);
        let costs: Vec<f64> = alike.map(|(_, row)| row[at]).collect();
        let (fewest, most) = (costs[0], costs.iter().copied().fold(0.0, f64::max));
        println!(
            "{path}: with {kept_at_last} descriptors a cgroup costs {costs:.1?} µs, at most {:.2} times what it costs first",
            most / fewest
        );
        assert!(most < MOST_GROWTH * fewest, "the cost of a cgroup grows");
    }
    let began = Instant::now();
    let count = cgroups.len();
    drop(cgroups);
    println!("{count} pods removed in {:.0} s", began.elapsed().as_secs_f64());
}

/// Descriptors that the agent keeps, and microseconds that a cgroup costs in a scrape of each path.
fn measure(cgroups: usize) -> (usize, Vec<f64>) {
    let kept = testkit::given("FILES").map(|files| format!("--files.kept={files}"));
    let mut args = vec![
        "--web.listen-address={address}",
        "--log.level=warn",
        // All that there is to read shall be shown.
        "--series.per-family=10000000",
        "--series.per-page=100000000",
    ];
    args.extend(kept.as_deref());
    let served = Served::start(Path::new(env!("CARGO_BIN_EXE_yagura-exporter")), &args).unwrap();
    let rounds = u32::try_from((READ / cgroups).clamp(3, 40)).unwrap();
    let mut each = Vec::new();
    for path in PATHS {
        let began = Instant::now();
        served.get(path);
        let first = began.elapsed();
        served.get(path);
        let (cpu, began) = (served.cpu(), Instant::now());
        let mut page = Vec::new();
        for _ in 0..rounds {
            page = served.get(path);
        }
        let (cpu, wall) = (served.cpu().saturating_sub(cpu) / rounds, began.elapsed() / rounds);
        let micros = cpu.as_secs_f64() * 1e6 / cgroups as f64;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{cgroups:>7}  {path:<18} {:>7} {:>7}k {:>8.1} {micros:>10.1} {:>8.1} {:>9.1} {:>8.1} {:>6}",
            samples(&page),
            page.len() / 1000,
            millis(cpu),
            millis(wall),
            millis(first),
            served.rss(),
            served.descriptors()
        );
        each.push(micros);
    }
    (served.descriptors(), each)
}
