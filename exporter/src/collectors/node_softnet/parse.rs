//! `/proc/net/softnet_stat`: a line a CPU that is online, in hexadecimal (`softnet_seq_show` in
//! `net/core/net-procfs.c`).
//! ```text
//! 00015c73 00000000 0000001b 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001
//! ```
//! Columns are: processed, dropped, squeezed, five zeros, collisions, RPS, flow limit (since Linux 4.18), backlog and
//! number of the CPU (both since 5.14).

use kernfs::text;

use crate::collectors::node::hex;

/// What one CPU did with packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Softnet {
    pub(super) cpu: u64,
    pub(super) processed: u64,
    pub(super) dropped: u64,
    pub(super) squeezed: u64,
    pub(super) collisions: u64,
    pub(super) rps: u64,
    pub(super) flow_limit: u64,
    pub(super) backlog: u64,
}

/// One entry a line that has at least the nine oldest columns. Before Linux 5.14 CPUs are counted by line.
pub(super) fn softnet(file: &[u8]) -> impl Iterator<Item = Softnet> {
    text::lines(file).zip(0_u64..).filter_map(|(line, index)| {
        let mut columns = [None; 13];
        for (column, word) in columns.iter_mut().zip(text::words(line)) {
            *column = Some(hex(word)?);
        }
        let [processed, dropped, squeezed, _, _, _, _, _, collisions, rps, flow_limit, backlog, cpu] = columns;
        Some(Softnet {
            cpu: cpu.unwrap_or(index),
            processed: processed?,
            dropped: dropped?,
            squeezed: squeezed?,
            collisions: collisions?,
            rps: rps.unwrap_or(0),
            flow_limit: flow_limit.unwrap_or(0),
            backlog: backlog.unwrap_or(0),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn old_kernels_have_fewer_columns_and_no_number() {
        let old = b"0000000a 1 2 0 0 0 0 0 3\n1 2\n0000000b 0 0 0 0 0 0 0 0 4 5\n";
        let found: Vec<_> = softnet(old).map(|s| (s.cpu, s.processed, s.collisions, s.rps, s.flow_limit)).collect();
        assert_eq!(found, [(0, 10, 3, 0, 0), (2, 11, 0, 4, 5)]);
        let new = b"0000000a 0 0 0 0 0 0 0 0 0 0 00000007 0000001f 0 0\n";
        assert_eq!(softnet(new).map(|s| (s.cpu, s.backlog)).collect::<Vec<_>>(), [(31, 7)]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = softnet(&bytes).count();
        }
    }
}
