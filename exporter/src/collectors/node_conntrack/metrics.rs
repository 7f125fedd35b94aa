//! Families of `node_conntrack`. They are gauges although most only rise: dashboards know them so.

use metric::{Count, Desc, Family};

use crate::collectors::node::gauge;

pub(super) static ENTRIES: Family<Count, 0> =
    gauge("node_nf_conntrack_entries", "Connections that are tracked now.", &[]);
pub(super) static LIMIT: Family<Count, 0> =
    gauge("node_nf_conntrack_entries_limit", "Most connections that can be tracked.", &[]);
pub(super) static FOUND: Family<Count, 0> =
    gauge("node_nf_conntrack_stat_found", "Lookups that found a connection.", &[]);
pub(super) static INVALID: Family<Count, 0> =
    gauge("node_nf_conntrack_stat_invalid", "Packets that cannot be tracked.", &[]);
pub(super) static IGNORE: Family<Count, 0> =
    gauge("node_nf_conntrack_stat_ignore", "Packets that were known to a connection already.", &[]);
pub(super) static INSERT: Family<Count, 0> = gauge("node_nf_conntrack_stat_insert", "Connections added.", &[]);
pub(super) static INSERT_FAILED: Family<Count, 0> =
    gauge("node_nf_conntrack_stat_insert_failed", "Connections not added, mostly because they were there.", &[]);
pub(super) static DROP: Family<Count, 0> =
    gauge("node_nf_conntrack_stat_drop", "Packets dropped because their connection could not be tracked.", &[]);
pub(super) static EARLY_DROP: Family<Count, 0> =
    gauge("node_nf_conntrack_stat_early_drop", "Connections forgotten to make room in a full table.", &[]);
pub(super) static RESTART: Family<Count, 0> =
    gauge("node_nf_conntrack_stat_search_restart", "Lookups begun again because the table was resized.", &[]);

pub(super) static ALL: &[&Desc] = &[
    ENTRIES.desc(),
    LIMIT.desc(),
    FOUND.desc(),
    INVALID.desc(),
    IGNORE.desc(),
    INSERT.desc(),
    INSERT_FAILED.desc(),
    DROP.desc(),
    EARLY_DROP.desc(),
    RESTART.desc(),
];
