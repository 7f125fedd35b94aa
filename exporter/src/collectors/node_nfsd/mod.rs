//! Requests to the machine's NFS server, from `rpc/nfsd` of the machine's network namespace (`fs/nfsd/stats.c`):
//! ```text
//! rc 0 6 18622
//! fh 0 0 0 0 0
//! io 157286400 0
//! th 8 0 0.000 0.000 …
//! ra 32 0 0 0 0 0 0 0 0 0 0 0
//! net 18628 0 18628 6
//! rpc 18628 0 0 0 0
//! proc3 22 2 112 0 2719 …
//! proc4 2 2 10853
//! proc4ops 72 0 0 0 1098 …
//! wdeleg_getattr 16
//! ```
//! Lines that a kernel does not have show 0.

mod metrics;

use kernfs::ReadError;

use self::metrics::{
    ALL, CACHE_HITS, CACHE_MISSES, CACHE_PASSED, CALLS, CONNECTIONS, ERRORS, OPERATIONS_4, PACKETS, PROCEDURES_2,
    PROCEDURES_3, READ, READ_AHEAD_MISSES, READ_AHEAD_SIZE, REQUESTS, STALE, THREADS, WRITTEN,
};
use super::node::{net_folder, numbers_after};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};
use metric::Bytes;

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_nfsd",
    about: "What the machine's NFS server does.",
    default_on: true,
    needs: &[Need::File("proc/1/net/rpc/nfsd")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeNfsd {
    file: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeNfsd { file: format!("{}/rpc/nfsd", net_folder(&context.host)) }))
}

impl Collector for NodeNfsd {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, &self.file)? else {
            scrape.nothing_there();
            return Ok(());
        };
        let [hits, misses, passed] = numbers_after(file, b"rc", 0);
        out.put(&CACHE_HITS, [], hits);
        out.put(&CACHE_MISSES, [], misses);
        out.put(&CACHE_PASSED, [], passed);
        let [stale] = numbers_after(file, b"fh", 0);
        out.put(&STALE, [], stale);
        let [read, written] = numbers_after(file, b"io", 0).map(Bytes);
        out.put(&READ, [], read);
        out.put(&WRITTEN, [], written);
        let [threads] = numbers_after(file, b"th", 0);
        out.put(&THREADS, [], threads);
        // Ten figures on how far ahead was read stand between the two.
        let [size] = numbers_after(file, b"ra", 0);
        let [not_found] = numbers_after(file, b"ra", 11);
        out.put(&READ_AHEAD_SIZE, [], size);
        out.put(&READ_AHEAD_MISSES, [], not_found);
        let [_, udp, tcp, connections] = numbers_after(file, b"net", 0);
        out.put(&PACKETS, ["udp"], udp);
        out.put(&PACKETS, ["tcp"], tcp);
        out.put(&CONNECTIONS, [], connections);
        let [calls, _, format, auth, client] = numbers_after(file, b"rpc", 0);
        out.put(&ERRORS, ["fmt"], format);
        out.put(&ERRORS, ["auth"], auth);
        out.put(&ERRORS, ["cInt"], client);
        out.put(&CALLS, [], calls);
        // The first number says how many there are, the second counts calls of the null procedure, which is not shown.
        for (name, count) in PROCEDURES_2.iter().zip(numbers_after::<17>(file, b"proc2", 2)) {
            out.put(&REQUESTS, ["2", name], count);
        }
        for (name, count) in PROCEDURES_3.iter().zip(numbers_after::<21>(file, b"proc3", 2)) {
            out.put(&REQUESTS, ["3", name], count);
        }
        for (name, count) in OPERATIONS_4.iter().zip(numbers_after::<37>(file, b"proc4ops", 4)) {
            if !name.is_empty() {
                out.put(&REQUESTS, ["4", name], count);
            }
        }
        let [delegations] = numbers_after(file, b"wdeleg_getattr", 0);
        out.put(&REQUESTS, ["4", "WdelegGetattr"], delegations);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_server_of_all_versions() {
        check(&SPEC, "node_nfsd/testdata/server", View::Node);
    }
}
