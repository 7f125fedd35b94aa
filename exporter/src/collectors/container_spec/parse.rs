//! The size of the machine, of `/proc/meminfo` (filesystems/proc.rst):
//! ```text
//! MemTotal:        1003152 kB
//! SwapTotal:       1048576 kB
//! ```

use kernfs::text;
use metric::{Bytes, Kibibytes};

/// How much memory and swap the machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) memory: Bytes,
    pub(super) swap: Bytes,
}

/// `/proc/meminfo`.
pub(super) fn machine(meminfo: &[u8]) -> Machine {
    let mut machine = Machine::default();
    for (key, value) in text::pairs(meminfo) {
        match key {
            b"MemTotal:" => machine.memory = Kibibytes(value).into(),
            b"SwapTotal:" => machine.swap = Kibibytes(value).into(),
            _ => {}
        }
    }
    machine
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_kibibytes() {
        let machine = machine(b"MemTotal:        2 kB\nMemFree: 1 kB\nSwapTotal:       1 kB\n");
        assert_eq!(machine, Machine { memory: Bytes(2048), swap: Bytes(1024) });
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = machine(&bytes);
        }
    }
}
