//! Requests of the machine to NFS servers, from `rpc/nfs` of the machine's network namespace
//! (`fs/nfs`, `net/sunrpc/stats.c`):
//! ```text
//! net 18628 0 18628 6
//! rpc 4329785 0 4338291
//! proc2 18 2 69 0 0 4410 0 0 0 0 0 0 0 0 0 0 0 99 2
//! proc3 22 1 4084749 29200 94754 …
//! proc4 61 1 0 0 …
//! ```
//! After the name and the number of procedures there is how often each was called. Newer kernels have more of them, older
//! ones fewer; those that a kernel does not know show 0, those that we do not know are left out.

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};

use super::node::{counter, net_folder, numbers_after};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// Procedures of NFS version 2.
#[rustfmt::skip]
const PROCEDURES_2: [&str; 18] = [
    "Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write", "Create", "Remove", "Rename",
    "Link", "SymLink", "MkDir", "RmDir", "ReadDir", "FsStat",
];
/// Procedures of NFS version 3.
#[rustfmt::skip]
const PROCEDURES_3: [&str; 22] = [
    "Null", "GetAttr", "SetAttr", "Lookup", "Access", "ReadLink", "Read", "Write", "Create", "MkDir", "SymLink", "MkNod",
    "Remove", "RmDir", "Rename", "Link", "ReadDir", "ReadDirPlus", "FsStat", "FsInfo", "PathConf", "Commit",
];
/// What a client of NFS version 4 asks, in the order of `NFSPROC4_CLNT_*` (`include/linux/nfs4.h`).
#[rustfmt::skip]
const PROCEDURES_4: [&str; 59] = [
    "Null", "Read", "Write", "Commit", "Open", "OpenConfirm", "OpenNoattr", "OpenDowngrade", "Close", "Setattr", "FsInfo",
    "Renew", "SetClientID", "SetClientIDConfirm", "Lock", "Lockt", "Locku", "Access", "Getattr", "Lookup", "LookupRoot",
    "Remove", "Rename", "Link", "Symlink", "Create", "Pathconf", "StatFs", "ReadLink", "ReadDir", "ServerCaps",
    "DelegReturn", "GetACL", "SetACL", "FsLocations", "ReleaseLockowner", "Secinfo", "FsidPresent", "ExchangeID",
    "CreateSession", "DestroySession", "Sequence", "GetLeaseTime", "ReclaimComplete", "GetDeviceInfo", "LayoutGet",
    "LayoutCommit", "LayoutReturn", "SecinfoNoName", "TestStateID", "FreeStateID", "GetDeviceList", "BindConnToSession",
    "DestroyClientID", "Seek", "Allocate", "DeAllocate", "LayoutStats", "Clone",
];

static PACKETS: Family<Count, 1> = counter(
    "node_nfs_packets_total",
    "Packets from NFS servers and to them.",
    &[Label::closed("protocol", &["udp", "tcp"])],
);
static CONNECTIONS: Family<Count, 0> = counter("node_nfs_connections_total", "TCP connections to NFS servers.", &[]);
static CALLS: Family<Count, 0> = counter("node_nfs_rpcs_total", "Calls to NFS servers.", &[]);
static RETRANSMISSIONS: Family<Count, 0> =
    counter("node_nfs_rpc_retransmissions_total", "Calls that were sent again.", &[]);
static REFRESHES: Family<Count, 0> =
    counter("node_nfs_rpc_authentication_refreshes_total", "How often credentials for NFS servers were renewed.", &[]);
static REQUESTS: Family<Count, 2> = counter(
    "node_nfs_requests_total",
    "Requests to NFS servers.",
    &[Label::closed("proto", &["2", "3", "4"]), Label::open("method", "procedures of the protocol")],
);
static ALL: &[&Desc] =
    &[PACKETS.desc(), CONNECTIONS.desc(), CALLS.desc(), RETRANSMISSIONS.desc(), REFRESHES.desc(), REQUESTS.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_nfs",
    about: "What the machine asks of NFS servers.",
    default_on: true,
    needs: &[Need::File("proc/1/net/rpc/nfs")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeNfs {
    file: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeNfs { file: format!("{}/rpc/nfs", net_folder(&context.host)) }))
}

impl Collector for NodeNfs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, &self.file)? else {
            scrape.nothing_there();
            return Ok(());
        };
        let [_, udp, tcp, connections] = numbers_after(file, b"net", 0);
        out.put(&PACKETS, ["udp"], udp);
        out.put(&PACKETS, ["tcp"], tcp);
        out.put(&CONNECTIONS, [], connections);
        let [calls, retransmissions, refreshes] = numbers_after(file, b"rpc", 0);
        out.put(&CALLS, [], calls);
        out.put(&RETRANSMISSIONS, [], retransmissions);
        out.put(&REFRESHES, [], refreshes);
        for (name, count) in PROCEDURES_2.iter().zip(numbers_after::<18>(file, b"proc2", 1)) {
            out.put(&REQUESTS, ["2", name], count);
        }
        for (name, count) in PROCEDURES_3.iter().zip(numbers_after::<22>(file, b"proc3", 1)) {
            out.put(&REQUESTS, ["3", name], count);
        }
        for (name, count) in PROCEDURES_4.iter().zip(numbers_after::<59>(file, b"proc4", 1)) {
            out.put(&REQUESTS, ["4", name], count);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_client_of_all_versions() {
        check(&SPEC, "node_nfs/testdata/client", View::Node);
    }
}
