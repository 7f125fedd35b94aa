//! Families of `node_nfsd`, and what requests are called.

use metric::{Bytes, Count, Desc, Family, Label};

use crate::collectors::node::{counter, gauge};

/// Procedures of NFS version 2 after the null procedure.
#[rustfmt::skip]
pub(super) const PROCEDURES_2: [&str; 17] = [
    "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write", "Create", "Remove", "Rename", "Link",
    "SymLink", "MkDir", "RmDir", "ReadDir", "FsStat",
];
/// Procedures of NFS version 3 after the null procedure.
#[rustfmt::skip]
pub(super) const PROCEDURES_3: [&str; 21] = [
    "GetAttr", "SetAttr", "Lookup", "Access", "ReadLink", "Read", "Write", "Create", "MkDir", "SymLink", "MkNod",
    "Remove", "RmDir", "Rename", "Link", "ReadDir", "ReadDirPlus", "FsStat", "FsInfo", "PathConf", "Commit",
];
/// Operations of NFS version 4.0 (RFC 7530, 16), from number 3 on. `node_exporter` leaves out those without a name here.
#[rustfmt::skip]
pub(super) const OPERATIONS_4: [&str; 37] = [
    "Access", "Close", "Commit", "Create", "DelegPurge", "DelegReturn", "GetAttr", "GetFH", "Link", "Lock", "Lockt",
    "Locku", "Lookup", "LookupRoot", "Nverify", "Open", "OpenAttr", "OpenConfirm", "OpenDgrd", "PutFH", "", "", "Read",
    "ReadDir", "ReadLink", "Remove", "Rename", "Renew", "RestoreFH", "SaveFH", "SecInfo", "SetAttr", "SetClientID",
    "SetClientIDConfirm", "Verify", "Write", "RelLockOwner",
];

pub(super) static CACHE_HITS: Family<Count, 0> = counter(
    "node_nfsd_reply_cache_hits_total",
    "Requests that were answered before; the client had lost the answer.",
    &[],
);
pub(super) static CACHE_MISSES: Family<Count, 0> =
    counter("node_nfsd_reply_cache_misses_total", "Requests whose answers were kept.", &[]);
pub(super) static CACHE_PASSED: Family<Count, 0> =
    counter("node_nfsd_reply_cache_nocache_total", "Requests whose answers need not be kept.", &[]);
pub(super) static STALE: Family<Count, 0> =
    counter("node_nfsd_file_handles_stale_total", "Requests for files that were gone.", &[]);
pub(super) static READ: Family<Bytes, 0> = counter("node_nfsd_disk_bytes_read_total", "Bytes that clients read.", &[]);
pub(super) static WRITTEN: Family<Bytes, 0> =
    counter("node_nfsd_disk_bytes_written_total", "Bytes that clients wrote.", &[]);
pub(super) static THREADS: Family<Count, 0> = gauge("node_nfsd_server_threads", "Threads of the server.", &[]);
pub(super) static READ_AHEAD_SIZE: Family<Count, 0> = gauge(
    "node_nfsd_read_ahead_cache_size_blocks",
    "Size of the cache of what was read ahead; 0 on kernels since 5.4, which have none.",
    &[],
);
pub(super) static READ_AHEAD_MISSES: Family<Count, 0> = counter(
    "node_nfsd_read_ahead_cache_not_found_total",
    "What was not found in the cache of what was read ahead.",
    &[],
);
pub(super) static PACKETS: Family<Count, 1> =
    counter("node_nfsd_packets_total", "Packets from clients and to them.", &[Label::closed("proto", &["udp", "tcp"])]);
pub(super) static CONNECTIONS: Family<Count, 0> =
    counter("node_nfsd_connections_total", "TCP connections of clients.", &[]);
pub(super) static ERRORS: Family<Count, 1> = counter(
    "node_nfsd_rpc_errors_total",
    "Calls that were refused: malformed, with wrong credentials, from a wrong client.",
    &[Label::closed("error", &["fmt", "auth", "cInt"])],
);
pub(super) static CALLS: Family<Count, 0> = counter("node_nfsd_server_rpcs_total", "Calls of clients.", &[]);
pub(super) static REQUESTS: Family<Count, 2> = counter(
    "node_nfsd_requests_total",
    "Requests of clients.",
    &[Label::closed("proto", &["2", "3", "4"]), Label::open("method", "procedures of the protocol")],
);

pub(super) static ALL: &[&Desc] = &[
    CACHE_HITS.desc(),
    CACHE_MISSES.desc(),
    CACHE_PASSED.desc(),
    STALE.desc(),
    READ.desc(),
    WRITTEN.desc(),
    THREADS.desc(),
    READ_AHEAD_SIZE.desc(),
    READ_AHEAD_MISSES.desc(),
    PACKETS.desc(),
    CONNECTIONS.desc(),
    ERRORS.desc(),
    CALLS.desc(),
    REQUESTS.desc(),
];
