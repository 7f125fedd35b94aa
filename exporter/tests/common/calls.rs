//! Whether the books of connections say what really happened.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use yagura_exporter::{
    books::ledger::Ledger,
    probes::tcp::{
        Tcp, as_peer,
        book::{Account, Book, Unit},
        wire::{FAILURES, Peer, PeerId},
    },
};

use super::network::{Called, DEAD, FAR, LOST, SERVER};

/// What the books have of the calls.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Containers of which they know nothing.
    pub(crate) missed: usize,
    /// What is wrong, in words.
    pub(crate) wrong: Vec<String>,
    /// Connections that were opened, and those that failed.
    pub(crate) connections: [u64; 2],
    /// Bytes sent and received.
    pub(crate) bytes: [u64; 2],
}

impl Verdict {
    /// Whether all is as it should be.
    pub(crate) fn is_clean(&self) -> bool {
        self.missed == 0 && self.wrong.is_empty()
    }
}

/// What really happened, summed up: connections that were opened and failed, bytes sent and received.
pub(crate) fn truth(calls: &[Called]) -> [u64; 4] {
    let mut sums = [0, 0, 0, 0];
    for called in calls {
        sums[0] += 2;
        sums[1] += 3;
        for [sent, received] in called.exchanges {
            sums[2] += sent;
            sums[3] += received;
        }
    }
    sums
}

/// Waits until the books of the workload below `folder` are complete, then looks at each container.
pub(crate) fn judge(tcp: &Tcp, folder: &str, calls: &[Called]) -> Verdict {
    let expected = truth(calls);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let verdict = tcp.read(|book, ledger| verdict(book, ledger, folder, calls)).unwrap();
        let sums = [verdict.connections, verdict.bytes].concat();
        if (verdict.is_clean() && sums == expected) || Instant::now() > deadline {
            return verdict;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn verdict(book: &Book, ledger: &Ledger, folder: &str, calls: &[Called]) -> Verdict {
    let mut verdict = Verdict::default();
    let workload = book.workloads().find(|(key, _)| &*key.name == folder).map(|(_, account)| account);
    if let Some(total) = workload.map(Account::total) {
        verdict.connections = [total.opened, total.failed.iter().sum()];
        verdict.bytes = [total.sent_bytes, total.received_bytes];
    }
    for called in calls {
        let path = format!("{folder}/{}", called.name);
        let unit = ledger.units().find(|unit| unit.path == path).and_then(|unit| book.unit(unit.number));
        match unit {
            None => verdict.missed += 1,
            Some(unit) => compare(called, unit, &mut verdict.wrong),
        }
    }
    verdict
}

fn compare(called: &Called, unit: &Unit, wrong: &mut Vec<String>) {
    let name = &called.name;
    let id = |(v4, v6): (&str, &str), port| {
        let address: IpAddr = if called.v6 { v6 } else { v4 }.parse().unwrap();
        PeerId { inbound: false, address: as_peer(address), port }
    };
    let with = |id: PeerId| unit.account.peers.get(&id).map_or_else(Peer::default, |with| with.sums);
    for (peer, [sent, received]) in [id(SERVER, 7001), id(FAR, 7002)].into_iter().zip(called.exchanges) {
        let row = with(peer);
        let is = (row.opened, row.open, row.failed, row.ended, row.sent_bytes, row.received_bytes);
        let should = (1, 0, [0; 6], [1, 0, 0, 0, 0], sent, received);
        if is != should {
            wrong.push(format!("{name} with {peer:?}: {is:?} instead of {should:?}"));
        }
    }
    let failures = [(id(SERVER, 1), "refused"), (id(DEAD, 9), "timeout"), (id(LOST, 9), "unreachable")];
    for ((peer, reason), error) in failures.into_iter().zip(called.errors) {
        let row = with(peer);
        let should = FAILURES.map(|known| u64::from(known == reason));
        if row.failed != should || row.opened != 0 || row.attempts != 1 || !means(reason, error) {
            wrong.push(format!("{name} with {peer:?}: {:?}, errno {error}", row.failed));
        }
    }
    if unit.account.peers.len() != 5 || unit.account.connect.count() != 2 || unit.account.rtt.count() != 2 {
        let known: Vec<(Ipv6Addr, u16)> = unit.account.peers.keys().map(|id| (id.address, id.port)).collect();
        wrong.push(format!("{name}: peers {known:?}"));
    }
}

/// Whether connect(2) fails with this number for this reason.
fn means(reason: &str, error: i32) -> bool {
    match reason {
        "refused" => error == libc::ECONNREFUSED,
        "timeout" => error == libc::ETIMEDOUT,
        _ => [libc::EHOSTUNREACH, libc::ENETUNREACH].contains(&error),
    }
}
