//! Families of `container_hugetlb`.

use metric::{Bytes, Count, Desc, Family, Kind, Label};

use crate::identity::{AsCadvisor, AsContainer};

/// What bounds the values of the label that names a page size.
const SIZES: &str = "sizes of huge pages that the CPU knows";

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Bytes, Count, Desc, Family, Kind, Label, SIZES};

    pub(in super::super) static USAGE: Family<Bytes, 1, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_hugetlb_usage_bytes",
        "Huge pages that are set aside, in bytes.",
        &[Label::open("pagesize", SIZES)],
    );
    pub(in super::super) static MAX_USAGE: Family<Bytes, 1, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_hugetlb_max_usage_bytes",
        "Most huge pages that were ever set aside at once, in bytes.",
        &[Label::open("pagesize", SIZES)],
    );
    pub(in super::super) static FAILCNT: Family<Count, 1, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_hugetlb_failcnt",
        "How often huge pages were refused because of the limit.",
        &[Label::open("pagesize", SIZES)],
    );
    pub(in super::super) static ALL: &[&Desc] = &[USAGE.desc(), MAX_USAGE.desc(), FAILCNT.desc()];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Bytes, Count, Desc, Family, Label, SIZES};

    pub(in super::super) static USED: Family<Bytes, 1, AsContainer> = Family::gauge(
        "container_huge_pages_used_bytes",
        "Huge pages that the container uses, in bytes.",
        &[Label::open("page_size", SIZES)],
    );
    pub(in super::super) static RESERVED: Family<Bytes, 1, AsContainer> = Family::gauge(
        "container_huge_pages_reserved_bytes",
        "Huge pages that are set aside for the container, used or not yet, in bytes.",
        &[Label::open("page_size", SIZES)],
    );
    pub(in super::super) static LIMIT: Family<Bytes, 1, AsContainer> = Family::gauge(
        "container_huge_pages_limit_bytes",
        "Huge pages that the container may use at most, in bytes; absent without a limit.",
        &[Label::open("page_size", SIZES)],
    );
    pub(in super::super) static REFUSED: Family<Count, 1, AsContainer> = Family::counter(
        "container_huge_pages_refused_total",
        "How often the container was refused huge pages because of its limit.",
        &[Label::open("page_size", SIZES)],
    );
    pub(in super::super) static ALL: &[&Desc] = &[USED.desc(), RESERVED.desc(), LIMIT.desc(), REFUSED.desc()];
}
