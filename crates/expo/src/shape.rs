//! Name and type of each family in the header of each format. No other module decides this.
//!
//! Samples keep their exact name in every format, so a query finds the same series whatever the scraper negotiated.
//! What differs is the header:
//!
//! | family | text 0.0.4 and protobuf | OpenMetrics |
//! |---|---|---|
//! | counter `x_total` | counter `x_total` | counter `x` |
//! | counter `x` (`container_memory_failcnt`) | counter `x` | **unknown** `x`: a counter's sample must end in `_total` |
//! | gauge `x_total` (`container_spec_…_total`) | gauge `x_total` | **unknown** `x_total`: the suffix belongs to counters |
//! | info `x_info` | gauge `x_info` | info `x` |
//! | info `x` | gauge `x` | gauge `x` |
//! | state set `x` with a label `x` | gauge `x` | stateset `x` |
//! | state set `x` without | gauge `x` | gauge `x` |
//! | gauge `x_count`, `x_sum`, `x_created`, `x_info`, `x_bucket` | gauge | gauge: legal as long as no family `x` of a type with that suffix is on the page |
//! | histogram, summary | same | same |
//! | gauge histogram | histogram (protobuf: gauge histogram) | gaugehistogram |
//! | unknown | untyped | unknown |
//!
//! Prometheus' own OpenMetrics parsers refuse a page for unknown type words, for a `# UNIT` that is no suffix of the
//! name and for a missing `# EOF`; stricter readers also for a counter whose sample lacks `_total`. With this table
//! neither has a reason. `# UNIT` is written when the name in the header ends in the unit.

use crate::model::ParsedKind;

/// Contents of the header lines of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape<'a> {
    /// The name after `# TYPE`.
    pub(crate) name: &'a str,
    /// The type that the format shows.
    pub(crate) kind: ParsedKind,
    /// Empty when the header has none.
    pub(crate) unit: &'a str,
}

/// The header in text 0.0.4, which has no units.
pub(crate) fn text(name: &str, kind: ParsedKind) -> Shape<'_> {
    let kind = match kind {
        ParsedKind::Info | ParsedKind::StateSet => ParsedKind::Gauge,
        ParsedKind::GaugeHistogram => ParsedKind::Histogram,
        other => other,
    };
    Shape { name, kind, unit: "" }
}

/// The header in protobuf.
pub(crate) fn protobuf<'a>(name: &'a str, kind: ParsedKind, unit: &'a str) -> Shape<'a> {
    let kind = match kind {
        ParsedKind::Info | ParsedKind::StateSet => ParsedKind::Gauge,
        other => other,
    };
    let stem = if kind == ParsedKind::Counter { name.strip_suffix("_total").unwrap_or(name) } else { name };
    Shape { name, kind, unit: if ends_in_unit(stem, unit) { unit } else { "" } }
}

/// The header in OpenMetrics. `labels` are the label names of its samples.
pub(crate) fn openmetrics<'a, 'l>(
    name: &'a str,
    kind: ParsedKind,
    unit: &'a str,
    mut labels: impl Iterator<Item = &'l str>,
) -> Shape<'a> {
    let (shown, kind) = match kind {
        ParsedKind::Counter => match stem(name, "_total") {
            Some(stem) => (stem, ParsedKind::Counter),
            None => (name, ParsedKind::Unknown),
        },
        ParsedKind::Info => match stem(name, "_info") {
            Some(stem) => (stem, ParsedKind::Info),
            None => (name, ParsedKind::Gauge),
        },
        ParsedKind::StateSet if !labels.any(|label| label == name) => (name, ParsedKind::Gauge),
        ParsedKind::Gauge if name.ends_with("_total") => (name, ParsedKind::Unknown),
        other => (name, other),
    };
    let unitless = matches!(kind, ParsedKind::Info | ParsedKind::StateSet);
    Shape { name: shown, kind, unit: if !unitless && ends_in_unit(shown, unit) { unit } else { "" } }
}

fn stem<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    name.strip_suffix(suffix).filter(|stem| !stem.is_empty())
}

fn ends_in_unit(name: &str, unit: &str) -> bool {
    !unit.is_empty() && name.strip_suffix(unit).is_some_and(|head| head.len() > 1 && head.ends_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds() {
        use ParsedKind::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Unknown};
        let cases = [
            ("cpu_seconds_total", Counter, "seconds", ("cpu_seconds", Counter, "seconds"), Counter),
            ("memory_failcnt", Counter, "", ("memory_failcnt", Unknown, ""), Counter),
            ("_total", Counter, "", ("_total", Unknown, ""), Counter),
            ("limit_bytes_total", Gauge, "bytes", ("limit_bytes_total", Unknown, ""), Gauge),
            ("free_bytes", Gauge, "bytes", ("free_bytes", Gauge, "bytes"), Gauge),
            ("freebytes", Gauge, "bytes", ("freebytes", Gauge, ""), Gauge),
            ("build_info", Info, "", ("build", Info, ""), Gauge),
            ("machine", Info, "", ("machine", Gauge, ""), Gauge),
            ("phase", StateSet, "", ("phase", StateSet, ""), Gauge),
            ("other_phase", StateSet, "", ("other_phase", Gauge, ""), Gauge),
            ("image_count", Gauge, "", ("image_count", Gauge, ""), Gauge),
            ("wait_seconds", Histogram, "seconds", ("wait_seconds", Histogram, "seconds"), Histogram),
            ("queue", GaugeHistogram, "", ("queue", GaugeHistogram, ""), Histogram),
            ("x", Unknown, "", ("x", Unknown, ""), Unknown),
        ];
        for (name, kind, unit, (om_name, om_kind, om_unit), text_kind) in cases {
            let shape = openmetrics(name, kind, unit, ["phase"].into_iter());
            assert_eq!(shape, Shape { name: om_name, kind: om_kind, unit: om_unit }, "{name}");
            assert_eq!(text(name, kind), Shape { name, kind: text_kind, unit: "" });
        }
        assert_eq!(protobuf("cpu_seconds_total", Counter, "seconds").unit, "seconds");
        assert_eq!(protobuf("limit_bytes_total", Gauge, "bytes").unit, "");
    }
}
