//! Selects the hooks for packets of sockets: fentry or `cgroup_skb`.

use kernfs::{Host, Reader};

/// One of the places. Both see the same packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// In the kernel's functions that send and receive them. A datagram costs some 20 ns there, and TCP does not pass
    /// those of datagrams. Not every kernel lets programs in (`CONFIG_FUNCTION_TRACER`; on arm64 Linux 6.4).
    Functions,
    /// At the root of the hierarchy of cgroups, where every packet of every socket passes, some 100 ns each way.
    Cgroups,
}

impl At {
    /// The better first.
    pub const ALL: &[Self] = &[Self::Functions, Self::Cgroups];

    /// Those of [`At::ALL`] that see every packet of this kernel.
    pub fn all_of(host: &Host) -> &'static [Self] {
        let mut reader = Reader::default();
        let version = reader.read(&host.proc, "version").ok().flatten();
        if version.is_some_and(may_be_one_piece) {
            tracing::info!("kernel was compiled by clang: using cgroup_skb instead of fentry");
            return &[Self::Cgroups];
        }
        Self::ALL
    }
}

/// Whether the kernel may have been optimised as a whole (`CONFIG_LTO_CLANG`). A function may be part of its callers
/// then, and a program that is attached to it sees some calls only.
fn may_be_one_piece(version: &[u8]) -> bool {
    String::from_utf8_lossy(version).contains("clang version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_that_clang_compiled_may_lack_calls() {
        let gcc = b"Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) #1 SMP\n";
        let clang = b"Linux version 6.6.30 (builder@host) (Chromium OS 18.0 clang version 18.0.0, LLD 18.0.0) #1 SMP\n";
        assert!(!may_be_one_piece(gcc));
        assert!(may_be_one_piece(clang));
    }
}
