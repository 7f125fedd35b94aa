//! Assigns objects to shards: the object's uid is hashed with FNV-1a, and a jump consistent hash of that picks the
//! shard. The same picks as kube-state-metrics makes, so that shards of both can stand in for each other.

/// One share of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    ordinal: u32,
    total: u32,
}

/// A shard that is not among the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard {ordinal} is not among {total} shards; they are counted from 0")]
pub struct NoSuchShard {
    ordinal: u32,
    total: u32,
}

impl Shard {
    /// All objects.
    pub const WHOLE: Self = Self { ordinal: 0, total: 1 };

    /// One of several shares. Fails when there is none of that number.
    pub fn new(ordinal: u32, total: u32) -> Result<Self, NoSuchShard> {
        if ordinal < total { Ok(Self { ordinal, total }) } else { Err(NoSuchShard { ordinal, total }) }
    }

    /// Its number, from 0.
    pub fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// How many there are.
    pub fn total(self) -> u32 {
        self.total
    }

    /// Whether an object is in this share.
    pub fn has(self, uid: &str) -> bool {
        self.total == 1 || jump(fnv1a(uid.as_bytes()), self.total) == self.ordinal
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm": when the number of buckets grows from n to
/// n + 1, one key in n + 1 moves.
fn jump(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0_u32, 0_u64);
    while next < u64::from(buckets) {
        bucket = u32::try_from(next).unwrap_or(u32::MAX);
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let step = (1_u64 << 31) as f64 / ((key >> 33) + 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^32 · 2^31")]
        let candidate = ((u64::from(bucket) + 1) as f64 * step) as u64;
        next = candidate;
    }
    bucket
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hashes_and_picks_are_the_known_ones() {
        const TOTALS: [u32; 6] = [1, 2, 3, 5, 10, 64];
        for (uid, hash, picks) in [
            ("", 0xcbf2_9ce4_8422_2325, [0, 1, 1, 1, 1, 17]),
            ("a", 0xaf63_dc4c_8601_ec8c, [0, 1, 2, 2, 2, 31]),
            ("0f1e2d3c-0000-4000-8000-00000000000a", 0xa8e4_f6ad_6782_f6ea, [0, 1, 1, 1, 6, 44]),
            ("6c84fb90-12c4-11e1-840d-7b25c5ee775a", 0x55b6_330b_9599_d889, [0, 0, 0, 4, 4, 54]),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", 0x7718_f1b2_f3cd_d331, [0, 0, 0, 0, 6, 62]),
            ("uid-1", 0x8a6b_1025_215e_9243, [0, 0, 0, 0, 9, 56]),
            ("uid-2", 0x8a6b_1125_215e_93f6, [0, 0, 0, 3, 3, 32]),
            ("uid-3", 0x8a6b_1225_215e_95a9, [0, 1, 1, 4, 4, 53]),
            ("7b9d0e2a-55aa-4c1b-9f3e-1a2b3c4d5e6f", 0x8731_99e9_782c_3226, [0, 1, 2, 2, 9, 27]),
            ("00000000-0000-0000-0000-000000000000", 0x7c38_4c62_18f2_99f1, [0, 1, 1, 1, 1, 20]),
        ] {
            assert_eq!(fnv1a(uid.as_bytes()), hash);
            for (total, ordinal) in TOTALS.into_iter().zip(picks) {
                assert_eq!(jump(hash, total), ordinal, "{uid} of {total}");
                assert!(Shard::new(ordinal, total).unwrap().has(uid));
            }
        }
    }

    #[test]
    fn a_shard_beyond_the_last_is_refused() {
        assert_eq!(Shard::new(3, 3).unwrap_err().to_string(), "shard 3 is not among 3 shards; they are counted from 0");
        assert!(Shard::new(0, 0).is_err());
    }

    proptest! {
        #[test]
        fn every_object_is_in_exactly_one_shard(uid in ".{0,40}", total in 1_u32..=64) {
            let owners = (0..total).filter(|ordinal| Shard::new(*ordinal, total).unwrap().has(&uid)).count();
            prop_assert_eq!(owners, 1);
        }

        #[test]
        fn growing_moves_objects_only_to_the_new_shard(uid in "[0-9a-f-]{36}", total in 1_u32..64) {
            let before = (0..total).find(|o| Shard::new(*o, total).unwrap().has(&uid));
            let after = (0..=total).find(|o| Shard::new(*o, total + 1).unwrap().has(&uid));
            prop_assert!(after == before || after == Some(total));
        }
    }
}
