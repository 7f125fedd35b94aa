//! TCP sockets by state, and what is queued in them, asked over netlink (`sock_diag(7)`) in the agent's network namespace.
//! A state that no socket is in has no series, as `node_exporter` has it.

use std::collections::BTreeMap;

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};
use rustix::net::AddressFamily;

use super::{netlink, node::gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// The kernel's numbers of states, from 1 on (`include/net/tcp_states.h`).
const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];
const QUEUED: [&str; 2] = ["rx_queued_bytes", "tx_queued_bytes"];

static SOCKETS: Family<Count, 1> = gauge(
    "node_tcp_connection_states",
    "TCP sockets in the state; bytes for the two that say so.",
    &[Label::closed(
        "state",
        &[
            "established",
            "syn_sent",
            "syn_recv",
            "fin_wait1",
            "fin_wait2",
            "time_wait",
            "close",
            "close_wait",
            "last_ack",
            "listen",
            "closing",
            "unknown",
            "rx_queued_bytes",
            "tx_queued_bytes",
        ],
    )],
);
static ALL: &[&Desc] = &[SOCKETS.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_tcpstat",
    about: "TCP sockets by state.",
    default_on: false,
    needs: &[Need::File("proc/net/tcp")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeTcpstat;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeTcpstat))
}

impl Collector for NodeTcpstat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let mut families = vec![AddressFamily::INET];
        families.extend(scrape.reader.exists(&scrape.host.proc, "net/tcp6").then_some(AddressFamily::INET6));
        let (mut states, mut queued, mut is_any) = (BTreeMap::new(), [0; 2], false);
        for family in families {
            let sockets = netlink::sockets(family)?;
            for (number, count) in sockets.states.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                let state = number.checked_sub(1).and_then(|at| STATES.get(at)).copied().unwrap_or("unknown");
                *states.entry(state).or_insert(0) += count;
                is_any = true;
            }
            queued.iter_mut().zip(sockets.queued).for_each(|(sum, bytes)| *sum += bytes);
        }
        for (state, count) in states {
            scrape.out.put(&SOCKETS, [state], count);
        }
        if is_any {
            for (state, bytes) in QUEUED.into_iter().zip(queued) {
                scrape.out.put(&SOCKETS, [state], bytes);
            }
        }
        Ok(())
    }
}
