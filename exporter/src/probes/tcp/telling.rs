//! Publishes records of ended connections with container names.

use std::{net::Ipv6Addr, sync::Arc};

use super::wire::{self, Flow as Raw};
use crate::{
    books::{Books, ledger::Ledger, moment::Moment},
    events::{Feeds, flow::Flow},
    identity::names::NAMES,
    probes::{object::Object, telling::Telling},
    spec::Unavailable,
};

/// Tells of connections while somebody wants to know. `sampled`: one of so many connections has a record.
pub(super) fn of(object: &Object, books: Books, feeds: Feeds, sampled: u32) -> Result<Arc<Telling>, Unavailable> {
    let event = move |raw: Raw, ledger: &Ledger, now| record(&raw, ledger, now, sampled);
    let to = (books, feeds);
    Telling::of(object, "flows", sampled, "yagura-flows", to, wire::decode, event)
}

fn record(raw: &Raw, ledger: &Ledger, now: Moment, sampled: u32) -> Flow {
    let seconds = |from_ns: u64, to_ns: u64| (from_ns > 0 && to_ns >= from_ns).then(|| (to_ns - from_ns) as f64 / 1e9);
    let written = |address: Ipv6Addr| address.to_canonical().to_string();
    let asked = if raw.started_ns > 0 { raw.started_ns } else { raw.ended_ns };
    let name = NAMES.at(raw.cgroup, raw.peer.0, asked);
    Flow {
        time: now.wall - now.mono_ns.saturating_sub(raw.ended_ns) as f64 / 1e9,
        sampled,
        direction: raw.direction,
        opened: raw.came_about,
        outcome: raw.outcome,
        whose: ledger.whose(raw.cgroup),
        process: raw.process,
        command: raw.command.clone(),
        own_address: written(raw.own.0),
        own_port: raw.own.1,
        peer_address: written(raw.peer.0),
        peer_port: raw.peer.1,
        peer_name: name.as_deref().unwrap_or_default().to_owned(),
        sent_bytes: raw.sent_bytes,
        received_bytes: raw.received_bytes,
        retransmits: raw.retransmits,
        connect_seconds: seconds(raw.started_ns, raw.opened_ns),
        seconds: seconds(raw.started_ns, raw.ended_ns),
        rtt_seconds: (raw.rtt_us > 0).then(|| f64::from(raw.rtt_us) / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        books::{ledger::Limits, usage::Row},
        ids::CgroupId,
    };

    #[test]
    fn a_record_says_whose_it_was_and_what_its_peer_is_called() {
        let mut ledger = Ledger::new(Limits::default(), CgroupId(1));
        ledger.made(CgroupId(7), "/jobs/a", 0.0);
        let mut row = Row::default();
        (row.parent, row.opened_ns, row.totals.tasks_started) = (CgroupId(2), 1, 1);
        ledger.measured([(CgroupId(7), row)].into_iter(), Moment { mono_ns: 2, wall: 1.0 });
        let peer = std::net::Ipv4Addr::new(192, 0, 2, 77).to_ipv6_mapped();
        NAMES.told(CgroupId(7), "db.example", &[peer], 60, 500);
        let raw = Raw {
            cgroup: CgroupId(7),
            started_ns: 1_000_000_000,
            opened_ns: 1_500_000_000,
            came_about: true,
            ended_ns: 4_000_000_000,
            sent_bytes: 10,
            received_bytes: 20,
            retransmits: 0,
            own: (Ipv6Addr::LOCALHOST, 4000),
            peer: (peer, 5432),
            direction: "outbound",
            outcome: "closed",
            process: 12,
            command: "app".into(),
            rtt_us: 0,
        };
        let flow = record(&raw, &ledger, Moment { mono_ns: 5_000_000_000, wall: 100.0 }, 1);
        assert_eq!(
            (flow.time, flow.connect_seconds, flow.seconds, flow.rtt_seconds),
            (99.0, Some(0.5), Some(3.0), None)
        );
        let (container, workload) = (flow.whose.container.unwrap(), flow.whose.workload.unwrap());
        assert_eq!(
            (&*workload.name, workload.kind, container.name.as_str(), flow.whose.cgroup),
            ("/jobs", "cgroup", "jobs/a", CgroupId(7))
        );
        assert_eq!((flow.peer_address.as_str(), flow.peer_name.as_str()), ("192.0.2.77", "db.example"));
        let early = Raw { started_ns: 400, ..raw };
        let flow = record(&early, &ledger, Moment { mono_ns: 5_000_000_000, wall: 100.0 }, 1);
        assert_eq!(flow.peer_name, "", "it was not called so yet");
    }
}
