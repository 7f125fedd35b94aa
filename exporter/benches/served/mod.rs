//! A program that serves metrics over HTTP, as it is measured from outside.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use testkit::Child;

/// One at work.
pub(crate) struct Served {
    process: Child,
    address: SocketAddr,
}

impl Served {
    /// Starts it and waits until it listens; else says why it does not. In the arguments `{address}` and `{port}` stand
    /// for where it shall listen.
    pub(crate) fn start(program: &Path, args: &[&str]) -> Result<Self, String> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = address.port().to_string();
        let args = args.iter().map(|arg| arg.replace("{address}", &address.to_string()).replace("{port}", &port));
        let mut command = Command::new(program);
        let mut process = Child::quiet(command.args(args).stderr(Stdio::null())).unwrap();
        let started = Instant::now();
        let up = testkit::wait_for(Duration::from_mins(1), || match process.handle().try_wait() {
            Ok(Some(status)) => Some(Err(format!("ended with {status}"))),
            _ => TcpStream::connect(address).ok().map(Ok),
        });
        match up {
            Some(Ok(_)) => Ok(Self { process, address }),
            Some(Err(how)) => Err(format!("{} {how} after {:?}", program.display(), started.elapsed())),
            None => Err(format!("{} does not listen on {address} after a minute", program.display())),
        }
    }

    /// A page, however long it takes: the first one of many cgroups may take longer than a scraper waits.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let patience = "X-Prometheus-Scrape-Timeout-Seconds: 120";
        write!(stream, "GET {path} HTTP/1.0\r\nHost: bench\r\nConnection: close\r\n{patience}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(
            answer.starts_with(b"HTTP/1") && answer.get(9..12) == Some(b"200"),
            "{path}: {}",
            String::from_utf8_lossy(&answer[..answer.len().min(200)])
        );
        let body = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
        answer.split_off(body)
    }

    /// User and system time of the process and its threads.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanos = tasks.flatten().filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Resident memory in MiB.
    pub(crate) fn rss(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.process.id())).unwrap();
        text.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0 / f64::from(1 << 20)
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).map_or(0, Iterator::count)
    }
}

/// Lines of a page that are samples.
pub(crate) fn samples(page: &[u8]) -> usize {
    page.split(|b| *b == b'\n').filter(|line| line.first().is_some_and(|b| *b != b'#')).count()
}
