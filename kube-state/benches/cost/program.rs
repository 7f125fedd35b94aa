//! The program before an API server, and another one beside it.

use std::{
    collections::HashMap,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use testkit::{ApiServer, Child, wait_for};

use crate::pod::{pod, uid};

const PODS: &str = "/api/v1/pods";
const SYNC_TIMEOUT: Duration = Duration::from_mins(3);
/// Updates in a second, and for how many seconds.
const RATE: (usize, usize) = (100, 10);
/// A tick of the CPU clock in /proc.
const TICKS: f64 = 100.0;

/// The program to measure: that which was built with this one, unless `YAGURA_KUBE_STATE` names another.
fn ours() -> String {
    let built = env!("CARGO_BIN_EXE_yagura-kube-state");
    testkit::given("YAGURA_KUBE_STATE").unwrap_or_else(|| built.to_owned())
}

/// Measures before a loopback API server that holds so many pods.
pub(crate) fn before_the_loopback_server(pods: usize) -> Result<()> {
    let api = ApiServer::start()?;
    for number in 0..pods {
        api.put(PODS, &uid(number), &pod(number, 0));
    }
    let access = vec![format!("--apiserver={}", api.url()), "--resources=pods".to_owned()];
    let ours = Program::start("yagura-kube-state", &ours(), &access, &[])?;
    ours.until_full(Some(pods))?;
    ours.scrapes(&["identity", "gzip", "zstd"])?;
    let page = ours.page("identity")?.1;
    ours.updates(&api, pods)?;
    ours.relist(&api, pods)?;
    drop(ours);
    for number in 0..pods {
        api.put(PODS, &uid(number), &pod(number, 0));
    }
    api.compact();
    beside(&access, pods, &page)
}

/// Measures before the server that a kubeconfig names, with all kinds that are on by default.
pub(crate) fn before_a_real_server(kubeconfig: &Path) -> Result<()> {
    let access = vec![format!("--kubeconfig={}", kubeconfig.display())];
    let ours = Program::start("yagura-kube-state", &ours(), &access, &[])?;
    ours.until_full(None)?;
    ours.scrapes(&["identity", "gzip", "zstd"])?;
    let page = ours.page("identity")?.1;
    let pods = infos(&page);
    println!("{:<16} {pods:>9} pods", ours.name);
    drop(ours);
    beside(&access, pods, &page)
}

/// The same with the program that `KSM` names, and the differences of the two pages.
fn beside(access: &[String], pods: usize, ours: &str) -> Result<()> {
    let Some(binary) = testkit::given("KSM") else {
        println!("skipped: kube-state-metrics beside it: KSM does not name its binary");
        return Ok(());
    };
    let flags = ["--enable-gzip-encoding".to_owned()];
    let theirs = Program::start("theirs", &binary, access, &flags)?;
    theirs.until_full(Some(pods))?;
    theirs.scrapes(&["identity", "gzip"])?;
    let page = theirs.page("identity")?.1;
    compare(ours, &page);
    Ok(())
}

/// Series that only one of two pages has. Comments are each program's own, and so is the order.
fn compare(ours: &str, theirs: &str) {
    let mut counts: HashMap<&str, i64> = HashMap::new();
    let series = |page| str::lines(page).filter(|line| !line.starts_with('#'));
    for line in series(ours) {
        *counts.entry(line).or_default() += 1;
    }
    for line in series(theirs) {
        *counts.entry(line).or_default() -= 1;
    }
    let mut different: Vec<(&str, i64)> = counts.into_iter().filter(|(_, count)| *count != 0).collect();
    different.sort_unstable();
    for (line, count) in different.iter().take(10) {
        println!("  {} {line}", if *count > 0 { "ours  " } else { "theirs" });
    }
    println!("lines            {:>9} compared, {} differ", series(ours).count(), different.len());
}

/// A program that runs.
struct Program {
    name: &'static str,
    child: Child,
    objects: String,
    own: String,
    started: Instant,
}

impl Program {
    fn start(name: &'static str, binary: &str, access: &[String], flags: &[String]) -> Result<Self> {
        let (objects, own) = (free_port()?, free_port()?);
        let mut command = Command::new(binary);
        command.args(access).args(flags).args(["--host=127.0.0.1", "--telemetry-host=127.0.0.1"]);
        command.args([format!("--port={objects}"), format!("--telemetry-port={own}")]);
        let started = Instant::now();
        let child = Child::quiet(&mut command).with_context(|| format!("cannot start {binary}"))?;
        let at = |port| format!("127.0.0.1:{port}");
        Ok(Self { name, child, objects: at(objects), own: at(own), started })
    }

    fn line(&self, what: &str, figures: &str) {
        println!("{:<16} {what:<10} {figures}", self.name);
    }

    /// Waits until it shows all pods. Ours is ready then; of the other only the page tells.
    fn until_full(&self, pods: Option<usize>) -> Result<()> {
        let is_ours = self.name != "theirs";
        let full = || {
            if is_ours {
                get(&self.own, "/readyz", "identity").is_ok_and(|(status, _)| status == 200)
            } else {
                self.page("identity").is_ok_and(|(_, page)| Some(infos(&page)) >= pods)
            }
        };
        wait_for(SYNC_TIMEOUT, || full().then_some(())).with_context(|| format!("{} was never full", self.name))?;
        let full_after = self.started.elapsed();
        std::thread::sleep(Duration::from_secs(2));
        let (peak, steady) = (self.memory("VmHWM")?, self.memory("VmRSS")?);
        let each = pods.map_or_else(String::new, |pods| format!(", {} B a pod", steady / pods.max(1)));
        self.line(
            "list",
            &format!(
                "full after {:.2} s; {} MB, at most {} MB ({:.2} ×){each}",
                full_after.as_secs_f64(),
                steady / 1_000_000,
                peak / 1_000_000,
                peak as f64 / steady as f64
            ),
        );
        Ok(())
    }

    fn scrapes(&self, encodings: &[&str]) -> Result<()> {
        // As a scraper does, which keeps its memory from one scrape to the next.
        let mut answer = Vec::new();
        for encoding in encodings {
            let (mut best, mut cpu, mut bytes) = (Duration::MAX, f64::MAX, 0);
            for _ in 0..5 {
                let (before, start) = (self.cpu()?, Instant::now());
                ask(&self.objects, "/metrics", encoding, &mut answer)?;
                best = best.min(start.elapsed());
                cpu = cpu.min(self.cpu()? - before);
                let (status, head) = head(&answer)?;
                ensure!(status == 200, "status {status}");
                bytes = answer.len() - head;
            }
            let (best, cpu) = (best.as_secs_f64() * 1e3, cpu * 1e3);
            self.line(encoding, &format!("{best:.0} ms, {cpu:.0} ms of CPU, {bytes} B, best of 5"));
        }
        self.line("", &format!("{} MB after the scrapes", self.memory("VmRSS")? / 1_000_000));
        Ok(())
    }

    /// Changes pods at a steady pace and counts what that costs, network included.
    fn updates(&self, api: &ApiServer, pods: usize) -> Result<()> {
        let (cpu, start) = (self.cpu()?, Instant::now());
        for number in 0..RATE.0 * RATE.1 {
            let pod_number = number * 7919 % pods;
            api.put(PODS, &uid(pod_number), &pod(pod_number, 1));
            let due = Duration::from_secs_f64((number + 1) as f64 / RATE.0 as f64);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
        }
        let (used, time) = (self.cpu()? - cpu, start.elapsed().as_secs_f64());
        let share = used / time * 100.0;
        self.line("updates", &format!("{} a second: {share:.1} % of a CPU", RATE.0));
        Ok(())
    }

    /// Has all pods listed again when each of them has changed.
    fn relist(&self, api: &ApiServer, pods: usize) -> Result<()> {
        api.hang_up();
        api.go_down();
        for number in 0..pods {
            api.put(PODS, &uid(number), &pod(number, 2));
        }
        api.compact();
        let steady = self.memory("VmRSS")?;
        // Writing 5 there makes the highest mark the present one.
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").context("cannot reset the highest mark")?;
        api.come_up();
        let series = r#"yagura_kube_state_lists_begun_total{kind="pods",reason="expired"} 1"#;
        let listed = r#"kube_state_metrics_list_total{resource="*v1.Pod",result="success"} 2"#;
        let is_over = || {
            let (_, page) = get(&self.own, "/metrics", "identity").ok()?;
            let page = String::from_utf8_lossy(&page).into_owned();
            (page.contains(series) && page.contains(listed)).then_some(())
        };
        wait_for(SYNC_TIMEOUT, is_over).context("the pods were not listed again")?;
        std::thread::sleep(Duration::from_secs(1));
        let (peak, after) = (self.memory("VmHWM")?, self.memory("VmRSS")?);
        self.line(
            "relist",
            &format!(
                "of pods that all changed: {} MB before, at most {} MB ({:.2} ×), {} MB after",
                steady / 1_000_000,
                peak / 1_000_000,
                peak as f64 / steady as f64,
                after / 1_000_000
            ),
        );
        Ok(())
    }

    fn page(&self, encoding: &str) -> Result<(u16, String)> {
        let (status, body) = get(&self.objects, "/metrics", encoding)?;
        Ok((status, String::from_utf8(body).context("the page is not UTF-8")?))
    }

    /// A figure of its memory, in bytes.
    fn memory(&self, field: &str) -> Result<usize> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kilobytes: usize =
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context("no figure")?;
        Ok(kilobytes * 1024)
    }

    /// CPU time that it has used, in seconds.
    fn cpu(&self) -> Result<f64> {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let of_threads = || -> Option<f64> {
            let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
            let times = tasks.flatten().filter_map(|task| {
                let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
                text.split(' ').next()?.parse::<f64>().ok()
            });
            Some(times.sum::<f64>() / 1e9)
        };
        if Path::new(&path).exists() {
            return of_threads().context("no threads");
        }
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).context("cannot read the CPU time")?;
        let words: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| words.get(at).and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
        Ok((ticks(11) + ticks(12)) / TICKS)
    }
}

fn infos(page: &str) -> usize {
    page.lines().filter(|line| line.starts_with("kube_pod_info{")).count()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Status and body of an answer, as it came.
fn get(address: &str, path: &str, encoding: &str) -> Result<(u16, Vec<u8>)> {
    let mut answer = Vec::with_capacity(1 << 20);
    ask(address, path, encoding, &mut answer)?;
    let (status, head) = head(&answer)?;
    answer.drain(..head);
    Ok((status, answer))
}

/// Reads a whole answer in the place of what was read before.
fn ask(address: &str, path: &str, encoding: &str, answer: &mut Vec<u8>) -> Result<()> {
    let mut socket = TcpStream::connect(address)?;
    write!(socket, "GET {path} HTTP/1.0\r\nAccept-Encoding: {encoding}\r\n\r\n")?;
    answer.clear();
    socket.read_to_end(answer)?;
    Ok(())
}

/// Status of an answer and length of its head.
fn head(answer: &[u8]) -> Result<(u16, usize)> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { bail!("no head in the answer") };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default());
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((status, end + 4))
}
