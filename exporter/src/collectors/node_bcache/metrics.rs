//! Families of `node_bcache`.

use metric::{Count, Desc, Family, Label};

use crate::collectors::node::{counter, gauge};

const SET: Label = Label::open("uuid", "cache sets of the machine");
const BACKING: &[Label; 2] = &[SET, Label::open("backing_device", "cached devices of the set")];
const CACHE: &[Label; 2] = &[SET, Label::open("cache_device", "caching devices of the set")];

/// Files of a set.
pub(super) static OF_SET: [(&str, Family<Count, 1>); 9] = [
    (
        "average_key_size",
        gauge("node_bcache_average_key_size_sectors", "Sectors that a key of the tree stands for, on average.", &[SET]),
    ),
    ("btree_cache_size", gauge("node_bcache_btree_cache_size_bytes", "Memory that holds parts of the tree.", &[SET])),
    (
        "cache_available_percent",
        gauge("node_bcache_cache_available_percent", "Part of the cache that may be overwritten, in percent.", &[SET]),
    ),
    ("congested", gauge("node_bcache_congested", "How congested the cache is; it is passed by then.", &[SET])),
    (
        "root_usage_percent",
        gauge("node_bcache_root_usage_percent", "How full the root of the tree is, in percent.", &[SET]),
    ),
    ("tree_depth", gauge("node_bcache_tree_depth", "Levels of the tree below its root.", &[SET])),
    (
        "internal/active_journal_entries",
        gauge("node_bcache_active_journal_entries", "Entries of the journal that the tree does not have yet.", &[SET]),
    ),
    ("internal/btree_nodes", gauge("node_bcache_btree_nodes", "Nodes of the tree.", &[SET])),
    (
        "internal/cache_read_races",
        counter(
            "node_bcache_cache_read_races_total",
            "Reads from the cache whose place was given to other data meanwhile.",
            &[SET],
        ),
    ),
];
pub(super) static BTREE_READ_TIME: Family<Count, 1> = gauge(
    "node_bcache_btree_read_average_duration_seconds",
    "How long reading a node of the tree took, on average, as node_exporter reads it.",
    &[SET],
);

pub(super) static DIRTY: Family<Count, 2> =
    gauge("node_bcache_dirty_data_bytes", "Data that is only in the cache.", BACKING);
pub(super) static TARGET: Family<Count, 2> =
    gauge("node_bcache_dirty_target_bytes", "How much data may be only in the cache.", BACKING);
pub(super) static RATE: Family<Count, 2> =
    gauge("node_bcache_writeback_rate", "Bytes per second that are written back.", BACKING);
pub(super) static RATE_PROPORTIONAL: Family<Count, 2> = gauge(
    "node_bcache_writeback_rate_proportional_term",
    "Part of the rate that comes from how much is over the target.",
    BACKING,
);
pub(super) static RATE_INTEGRAL: Family<Count, 2> = gauge(
    "node_bcache_writeback_rate_integral_term",
    "Part of the rate that comes from how long it has been over the target.",
    BACKING,
);
pub(super) static CHANGE: Family<Count, 2> =
    gauge("node_bcache_writeback_change", "By how much the rate was changed last.", BACKING);
/// Files of `stats_total`.
pub(super) static OF_TRAFFIC: [(&str, Family<Count, 2>); 6] = [
    ("bypassed", counter("node_bcache_bypassed_bytes_total", "Bytes read and written past the cache.", BACKING)),
    ("cache_hits", counter("node_bcache_cache_hits_total", "Requests that the cache served.", BACKING)),
    ("cache_misses", counter("node_bcache_cache_misses_total", "Requests that the cache did not serve.", BACKING)),
    (
        "cache_bypass_hits",
        counter("node_bcache_cache_bypass_hits_total", "Requests past the cache that it could have served.", BACKING),
    ),
    (
        "cache_bypass_misses",
        counter(
            "node_bcache_cache_bypass_misses_total",
            "Requests past the cache that it could not have served.",
            BACKING,
        ),
    ),
    (
        "cache_miss_collisions",
        counter(
            "node_bcache_cache_miss_collisions_total",
            "Misses whose data somebody else had put into the cache meanwhile.",
            BACKING,
        ),
    ),
];
pub(super) static READAHEADS: Family<Count, 2> =
    counter("node_bcache_cache_readaheads_total", "How often was read ahead.", BACKING);

pub(super) static IO_ERRORS: Family<Count, 2> =
    gauge("node_bcache_io_errors", "Errors of the device; old ones count less and less.", CACHE);
pub(super) static METADATA: Family<Count, 2> =
    counter("node_bcache_metadata_written_bytes_total", "Bytes written to the device that are no data.", CACHE);
pub(super) static WRITTEN: Family<Count, 2> =
    counter("node_bcache_written_bytes_total", "Bytes of data written to the device.", CACHE);
pub(super) static PRIORITY_UNUSED: Family<Count, 2> =
    gauge("node_bcache_priority_stats_unused_percent", "Part of the device that holds nothing, in percent.", CACHE);
pub(super) static PRIORITY_METADATA: Family<Count, 2> =
    gauge("node_bcache_priority_stats_metadata_percent", "Part of the device that holds no data, in percent.", CACHE);

const OTHERS: [&Desc; 13] = [
    BTREE_READ_TIME.desc(),
    DIRTY.desc(),
    TARGET.desc(),
    RATE.desc(),
    RATE_PROPORTIONAL.desc(),
    RATE_INTEGRAL.desc(),
    CHANGE.desc(),
    READAHEADS.desc(),
    IO_ERRORS.desc(),
    METADATA.desc(),
    WRITTEN.desc(),
    PRIORITY_UNUSED.desc(),
    PRIORITY_METADATA.desc(),
];
const FAMILIES: usize = OF_SET.len() + OTHERS.len() + OF_TRAFFIC.len();
static DESCS: [&Desc; FAMILIES] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; FAMILIES] {
    let mut all = [BTREE_READ_TIME.desc(); FAMILIES];
    let mut i = 0;
    while i < OF_SET.len() {
        all[i] = OF_SET[i].1.desc();
        i += 1;
    }
    let mut k = 0;
    while k < OTHERS.len() {
        all[i] = OTHERS[k];
        (i, k) = (i + 1, k + 1);
    }
    k = 0;
    while k < OF_TRAFFIC.len() {
        all[i] = OF_TRAFFIC[k].1.desc();
        (i, k) = (i + 1, k + 1);
    }
    all
}
