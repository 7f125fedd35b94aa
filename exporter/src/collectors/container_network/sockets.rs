//! Sockets of each network namespace by state, and what the kernel counts of TCP in it: cAdvisor's families that a
//! kubelet leaves out. Off by default: the kernel walks all its sockets for each namespace, 2.5 µs a socket.

use std::{collections::HashSet, io, sync::Arc, time::Instant};

use kernfs::{Host, ReadError, Reader, text};
use metric::{Batch, Count, Family, Of};

use super::{
    bearer::{Doors, bearers},
    metrics::sockets as families,
    parse,
};
use crate::{
    identity::{AsCadvisor, Pid},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_sockets",
    about: "Sockets of each pod by state, and what the kernel counts of TCP in its network namespace.",
    default_on: false,
    needs: &[Need::File("proc/…/net/tcp")],
    shows: &[(View::Cadvisor, families::ALL)],
    build,
};

#[derive(Debug, Default)]
struct ContainerSockets {
    doors: Doors,
    read: HashSet<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerSockets>::default())
}

impl Collector for ContainerSockets {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        self.doors.begin(scrape.host, scrape.reader, Instant::now());
        self.read.clear();
        let Scrape { out, tree, host, reader, problems, deadline, .. } = scrape;
        let mut bearing = Vec::new();
        bearers(tree.groups(), &mut bearing);
        let all = bearing.len();
        for (reached, group) in bearing.into_iter().enumerate() {
            // Each namespace costs milliseconds when it has many sockets; what is not reached has no rows this time.
            if Instant::now() >= *deadline {
                problems.push(too_late(host, all - reached));
                break;
            }
            let space = match self.doors.of(group, &layout, host, reader) {
                Ok(Some(space)) => space,
                Ok(None) => continue,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let Some(of) = group.cadvisor else { continue };
            // A namespace is told once, on the first of those that share it: the host's on the machine's row.
            if space.inode.is_some_and(|inode| !self.read.insert(inode)) {
                continue;
            }
            if let Err(problem) = emit(space.pid, of, host, reader, out) {
                problems.push(problem);
            }
        }
        Ok(())
    }
}

/// Counted as a failed read, so that missing rows are not taken for missing sockets.
fn too_late(host: &Host, left: usize) -> ReadError {
    let text = format!("the scrape's deadline came before {left} cgroups were looked at");
    ReadError { path: host.proc.join("…/net/tcp"), source: io::Error::new(io::ErrorKind::TimedOut, text) }
}

fn emit(pid: Pid, of: Of<AsCadvisor>, host: &Host, reader: &mut Reader, out: &mut Batch) -> Result<(), ReadError> {
    for (name, family) in [("tcp", &families::TCP4), ("tcp6", &families::TCP6)] {
        if let Some(file) = reader.read(&host.proc, &format!("{pid}/net/{name}"))? {
            for (state, count) in families::TCP_STATES.iter().zip(parse::tcp(file)) {
                out.put_of(family, of, [state], count);
            }
        }
    }
    for (name, family) in [("udp", &families::UDP4), ("udp6", &families::UDP6)] {
        if let Some(file) = reader.read(&host.proc, &format!("{pid}/net/{name}"))? {
            emit_udp(parse::udp(file), family, of, out);
        }
    }
    for (name, protocol) in [("netstat", &b"TcpExt"[..]), ("snmp", b"Tcp")] {
        if let Some(file) = reader.read(&host.proc, &format!("{pid}/net/{name}"))? {
            for (counter, value) in parse::counters(file, protocol) {
                let counter = text::text(counter).to_ascii_lowercase();
                out.put_of(&families::ADVANCED, of, [&counter], value);
            }
        }
    }
    Ok(())
}

fn emit_udp(sum: parse::Udp, family: &'static Family<Count, 1, AsCadvisor>, of: Of<AsCadvisor>, out: &mut Batch) {
    out.put_of(family, of, ["listen"], sum.sockets);
    out.put_of(family, of, ["dropped"], sum.dropped);
    out.put_of(family, of, ["rxqueued"], sum.receive_queue);
    out.put_of(family, of, ["txqueued"], sum.transmit_queue);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kernfs::Budget;

    use super::*;
    use crate::{
        config::Config,
        identity::{Layout, Tree},
        report::Outcome,
        scrape::Engine,
    };

    #[test]
    fn what_the_deadline_leaves_out_is_counted() {
        static SLOW: Spec = Spec { build: |_| Ok(Box::<Slow>::default()), ..SPEC };
        #[derive(Default)]
        struct Slow(ContainerSockets);
        impl Collector for Slow {
            fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
                scrape.deadline = Instant::now();
                self.0.collect(scrape)
            }
        }
        let root = tempfile::tempdir().unwrap();
        for name in ["proc", "sys", "rootfs", "cgroup"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        std::fs::write(root.path().join("cgroup/cgroup.controllers"), "cpu\n").unwrap();
        let host = Arc::new(Host::below(root.path()).unwrap());
        let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
        let tree = Tree::new(Arc::clone(&host), layout, Budget::new(9)).unwrap();
        let mut engine = Engine::new(&[&SLOW], |_| true, &Context::alone(host, Config::default()), tree);
        let late = Instant::now() + Duration::from_mins(1);
        let report = engine.scrape(View::Cadvisor, late, |_| true, &mut Batch::default());
        assert_eq!(report.runs.first().map(|run| &run.outcome), Some(&Outcome::Partial(1)));
    }
}
