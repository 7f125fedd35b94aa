//! Where the packets of sockets can be looked at.

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
}
