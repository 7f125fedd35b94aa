//! Traffic of each pod's network interfaces.
//!
//! Source: `/proc/<pid>/net/dev` of one process of each network namespace, once a scrape. A pod's containers share a
//! namespace; its series are those of the sandbox, as in a kubelet, or of the pod's oldest container if the sandbox is
//! unknown. A container outside Kubernetes has its own series; of several that share a namespace, the first has them.
//!
//! A pod on the host's network sees the host's interfaces. A kubelet repeats them for each such pod, so its view keeps
//! them; in our own view a sum over pods must not count the host, so they have no series there. To tell such pods apart
//! takes `CAP_SYS_PTRACE`.
//!
//! Not included: loopback and the host's ends of virtual cables. In the cAdvisor view these are all that begin with `lo`,
//! `veth`, `docker` or `nerdctl`, as in cAdvisor; in our own `lo`, `veth` with hexadecimal digits, `docker` and `nerdctl`
//! with a number.

mod bearer;
mod metrics;
mod parse;
mod sockets;

use std::{collections::HashSet, io, sync::Arc, time::Instant};

use kernfs::{ReadError, text};
use metric::{Batch, Bytes, Extra, Family, Of, Unit};

pub use self::sockets::SPEC as SOCKETS;
use self::{
    bearer::{Doors, Space, bearers},
    metrics::{AsPod, cadvisor, own},
    parse::{Interface, interfaces, is_ignored, is_inner},
};
use crate::{
    identity::{AsCadvisor, Group, GroupKind},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_network",
    about: "What passes the network interfaces of each pod.",
    default_on: true,
    needs: &[Need::File("proc/…/net/dev"), Need::Capability("CAP_SYS_PTRACE")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

#[derive(Debug, Default)]
struct ContainerNetwork {
    doors: Doors,
    /// The host's `net/dev`, as this scrape read it.
    hosts: Vec<u8>,
    /// Namespaces that were read in this scrape.
    read: HashSet<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let doors = if context.at_end { Doors::kept_open() } else { Doors::default() };
    Ok(Box::new(ContainerNetwork { doors, ..ContainerNetwork::default() }))
}

impl Collector for ContainerNetwork {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        self.doors.begin(scrape.host, scrape.reader, Instant::now());
        self.hosts.clear();
        self.read.clear();
        self.doors.close_but(|path| scrape.tree.has(path));
        let boot = scrape.tree.boot();
        let Scrape { view, out, tree, host, reader, problems, .. } = scrape;
        let mut bearing = Vec::new();
        bearers(tree.groups(), &mut bearing);
        let mut taken = HashSet::new();
        if *view == View::Own {
            // Of two pods of one name, as when one was replaced a moment ago, the younger has the series.
            bearing.sort_by(|a, b| b.created.total_cmp(&a.created));
        }
        for group in bearing {
            if *view == View::Cadvisor && group.cadvisor.is_none() {
                continue;
            }
            let space = match self.doors.of(group, &layout, host, reader) {
                Ok(Some(space)) => space,
                Ok(None) => continue,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let name = format_pid(space.pid);
            match view {
                View::Cadvisor if self.is_read_for_another(group, space) => {}
                View::Cadvisor if space.is_hosts == Some(true) => {
                    if self.hosts.is_empty()
                        && let Some(file) = reader.read(&host.proc, &name)?
                    {
                        self.hosts.extend_from_slice(file);
                    }
                    emit_cadvisor(group, &self.hosts, Some(boot), out);
                }
                View::Cadvisor => match self.doors.read(group, space, host, reader) {
                    // Of one that cannot be told from the host's.
                    Ok(Some(file)) if space.is_hosts.is_none() => emit_cadvisor(group, file, Some(boot), out),
                    Ok(Some(file)) => emit_cadvisor(group, file, None, out),
                    Ok(None) => {}
                    Err(problem) => problems.push(problem),
                },
                _ if space.is_hosts == Some(true) || !taken.insert(called(group)) => {}
                _ if space.is_hosts.is_none() => problems.push(cannot_tell(host, space)),
                _ if self.is_read_for_another(group, space) => {}
                _ => match reader.read(&host.proc, &name) {
                    Ok(Some(file)) => emit_own(group, file, out),
                    Ok(None) => {}
                    Err(problem) => problems.push(problem),
                },
            }
        }
        Ok(())
    }
}

impl ContainerNetwork {
    /// Outside Kubernetes containers may share a namespace, as `docker run --network container:…` does; the sandboxes of
    /// pods never do, but for the host's.
    fn is_read_for_another(&mut self, group: &Group, space: Space) -> bool {
        match space.inode {
            Some(inode) if group.pod_uid().is_none() && space.is_hosts != Some(true) => !self.read.insert(inode),
            _ => false,
        }
    }
}

fn format_pid(pid: u32) -> String {
    format!("{pid}/net/dev")
}

/// Namespace and name of the pod; outside Kubernetes the container's name.
fn called(group: &Group) -> (String, String) {
    let labels = &group.labels;
    let name = match (group.pod_uid(), labels.pod.is_empty(), labels.name.is_empty()) {
        (_, false, _) => labels.pod.as_str(),
        (Some(uid), true, _) => uid.as_str(),
        (None, true, false) => labels.name.as_str(),
        (None, true, true) => group.path.trim_start_matches('/'),
    };
    (labels.namespace.clone(), name.to_owned())
}

fn cannot_tell(host: &kernfs::Host, space: Space) -> ReadError {
    let path = host.proc.join(&format!("{}/ns/net", space.pid));
    ReadError {
        path,
        source: io::Error::new(
            io::ErrorKind::PermissionDenied,
            "its network namespace is hidden, which takes CAP_SYS_PTRACE to see",
        ),
    }
}

/// `since`: when the interfaces began to count, if that is not when the pod was made.
fn emit_cadvisor(group: &Group, file: &[u8], since: Option<f64>, out: &mut Batch) {
    let Some(of) = group.cadvisor else { return };
    let since = since.filter(|_| group.kind != GroupKind::Root);
    for Interface { name, receive, transmit } in interfaces(file).filter(|interface| !is_ignored(interface.name)) {
        let name = text::text(name);
        for (families, traffic) in [(&cadvisor::RECEIVE, receive), (&cadvisor::TRANSMIT, transmit)] {
            put(&families.bytes, of, &name, Bytes(traffic.bytes), since, out);
            for (family, number) in [
                (&families.packets, traffic.packets),
                (&families.dropped, traffic.dropped),
                (&families.errors, traffic.errors),
            ] {
                put(family, of, &name, number, since, out);
            }
        }
    }
}

fn put<U: Unit>(
    family: &'static Family<U, 1, AsCadvisor>,
    of: Of<AsCadvisor>,
    name: &str,
    number: impl Into<U>,
    since: Option<f64>,
    out: &mut Batch,
) {
    match since {
        None => out.put_of(family, of, [name], number),
        Some(_) => out.put_with(family, Some(of), [name], number, Extra { created: since, exemplar: None }),
    }
}

fn emit_own(group: &Group, file: &[u8], out: &mut Batch) {
    let (namespace, pod) = called(group);
    let of = out.subject::<AsPod, 2>([&namespace, &pod]);
    for Interface { name, receive, transmit } in interfaces(file).filter(|interface| !is_inner(interface.name)) {
        let name = text::text(name);
        for (direction, traffic) in [("receive", receive), ("transmit", transmit)] {
            out.put_of(&own::BYTES, of, [&name, direction], Bytes(traffic.bytes));
            out.put_of(&own::PACKETS, of, [&name, direction], traffic.packets);
            out.put_of(&own::DROPPED, of, [&name, direction], traffic.dropped);
            out.put_of(&own::ERRORS, of, [&name, direction], traffic.errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_pods_series_sit_on_its_sandbox_and_host_network_only_in_the_kubelets_view() {
        check(&SPEC, "container_network/testdata/v2", View::Cadvisor);
        check(&SPEC, "container_network/testdata/v2", View::Own);
    }

    #[test]
    fn sockets_are_counted_by_namespace() {
        check(&SOCKETS, "container_network/testdata/sockets", View::Cadvisor);
    }
}
