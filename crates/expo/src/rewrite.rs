//! Encodes the in-memory model as a page in any format.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use crate::{
    dialect::Dialect,
    model::{NativeHistogram, ParsedFamily, ParsedKind, ParsedSample},
    negotiate::Format,
    number::{push_bound, push_value},
    page::Page,
    protobuf,
    shape::{self, Shape},
    text,
};

type Labels = [(String, String)];

/// Writes a family. What the format cannot carry is left out, see [`crate::encode_exposition`].
pub(crate) fn append(page: &mut Page<'_>, family: &ParsedFamily, format: Format) -> io::Result<()> {
    match format {
        Format::Text004 => text_family(page, family, Dialect::Text004),
        Format::OpenMetrics1 => text_family(page, family, Dialect::OpenMetrics),
        Format::Protobuf => protobuf_family(page, family),
    }
}

fn text_family(page: &mut Page<'_>, family: &ParsedFamily, dialect: Dialect) -> io::Result<()> {
    let shape = match dialect {
        Dialect::Text004 => shape::text(&family.name, family.kind),
        Dialect::OpenMetrics => {
            let labels = family.samples.iter().flat_map(|sample| &sample.labels).map(|(name, _)| name.as_str());
            shape::openmetrics(&family.name, family.kind, &family.unit, labels)
        }
    };
    text::push_header(page.buf, shape, &family.help, dialect);
    let native = family.samples.iter().any(|sample| sample.histogram.is_some());
    let classic = if native { classic_labels(family) } else { HashSet::new() };
    for sample in &family.samples {
        match &sample.histogram {
            Some(histogram) if !classic.contains(sample.labels.as_slice()) => {
                native_only(page, sample, histogram, shape, dialect);
            }
            Some(_) => {}
            None => line(page, sample, shape, dialect),
        }
        page.relieve()?;
    }
    Ok(())
}

/// The label sets that have classic lines.
fn classic_labels(family: &ParsedFamily) -> HashSet<&Labels> {
    let count = |sample: &&ParsedSample| matches!(suffix(sample, family), "_count" | "_gcount");
    family.samples.iter().filter(count).map(|sample| sample.labels.as_slice()).collect()
}

fn suffix<'a>(sample: &'a ParsedSample, family: &ParsedFamily) -> &'a str {
    sample.name.strip_prefix(family.name.as_str()).unwrap_or("")
}

/// Writes a native histogram that has no classic lines.
fn native_only(
    page: &mut Page<'_>,
    sample: &ParsedSample,
    histogram: &NativeHistogram,
    shape: Shape<'_>,
    dialect: Dialect,
) {
    let base = ParsedSample { timestamp: sample.timestamp, labels: sample.labels.clone(), ..ParsedSample::default() };
    let name = |suffix| format!("{}{suffix}", sample.name);
    let (count, sum) = match shape.kind {
        ParsedKind::GaugeHistogram => ("_gcount", "_gsum"),
        _ => ("_count", "_sum"),
    };
    let mut bucket = ParsedSample { name: name("_bucket"), value: sample.value, ..base.clone() };
    bucket.labels.push(("le".to_owned(), "+Inf".to_owned()));
    let sum = ParsedSample { name: name(sum), value: histogram.sum, ..base.clone() };
    let count = ParsedSample { name: name(count), value: sample.value, created: sample.created, ..base };
    for sample in [bucket, sum, count] {
        line(page, &sample, shape, dialect);
    }
}

fn line(page: &mut Page<'_>, sample: &ParsedSample, shape: Shape<'_>, dialect: Dialect) {
    let name = match sample.name.strip_suffix("_gcount").or_else(|| sample.name.strip_suffix("_gsum")) {
        Some(stem) if dialect == Dialect::Text004 && shape.kind == ParsedKind::Histogram && stem == shape.name => {
            if sample.name.ends_with("_gcount") {
                (stem, "_count")
            } else {
                (stem, "_sum")
            }
        }
        _ => (sample.name.as_str(), ""),
    };
    let mut labels = Vec::new();
    push_labels(&mut labels, &sample.labels, shape.kind, dialect);
    text::push_series(page.buf, name.0, name.1, &labels, &[]);
    push_value(page.buf, sample.value);
    push_timestamp(page.buf, sample.timestamp, dialect);
    if dialect == Dialect::OpenMetrics {
        let bucket = matches!(shape.kind, ParsedKind::Histogram | ParsedKind::GaugeHistogram)
            && sample.name.ends_with("_bucket");
        if let Some(exemplar) = &sample.exemplar
            && (shape.kind == ParsedKind::Counter || bucket)
        {
            text::push_exemplar(page.buf, exemplar);
        }
        if let Some(created) = sample.created
            && matches!(shape.kind, ParsedKind::Counter | ParsedKind::Histogram | ParsedKind::Summary)
        {
            page.buf.push(b'\n');
            text::push_series(page.buf, shape.name, "_created", &labels, &[]);
            push_value(page.buf, created);
        }
    }
    page.buf.push(b'\n');
    page.series += 1;
}

/// Appends labels; bounds and quantiles as the dialect writes them.
fn push_labels(out: &mut Vec<u8>, labels: &Labels, kind: ParsedKind, dialect: Dialect) {
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let number = is_bound(kind, name).then(|| bound(value)).flatten();
        let Some(number) = number else {
            text::push_labels(out, [(name.as_str(), value.as_str())].into_iter());
            continue;
        };
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        push_bound(out, number, dialect.bounds());
        out.push(b'"');
    }
}

fn is_bound(kind: ParsedKind, label: &str) -> bool {
    match kind {
        ParsedKind::Histogram | ParsedKind::GaugeHistogram => label == "le",
        ParsedKind::Summary => label == "quantile",
        _ => false,
    }
}

fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "NaN" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

fn push_timestamp(out: &mut Vec<u8>, milliseconds: Option<i64>, dialect: Dialect) {
    let Some(milliseconds) = milliseconds else { return };
    out.push(b' ');
    match dialect {
        Dialect::Text004 => out.extend_from_slice(itoa::Buffer::new().format(milliseconds).as_bytes()),
        Dialect::OpenMetrics => push_value(out, milliseconds as f64 / 1000.0),
    }
}

/// The lines of one metric of a family.
#[derive(Default)]
struct Group<'a> {
    labels: Vec<(&'a str, &'a str)>,
    timestamp: Option<i64>,
    created: Option<f64>,
    count: f64,
    sum: f64,
    /// Bound or quantile, and the line.
    points: Vec<(f64, &'a ParsedSample)>,
    native: Option<&'a NativeHistogram>,
    has_lines: bool,
}

fn protobuf_family(page: &mut Page<'_>, family: &ParsedFamily) -> io::Result<()> {
    let shape = shape::protobuf(&family.name, family.kind, &family.unit);
    let mut message = Vec::new();
    protobuf::write::push_head(&mut message, shape, &family.help);
    match shape.kind {
        ParsedKind::Histogram | ParsedKind::GaugeHistogram | ParsedKind::Summary => {
            for group in groups(family) {
                push_group(&mut message, &group, shape.kind);
                page.series += group.points.len() as u64;
                page.series += if group.has_lines { 2 } else { 0 } + u64::from(group.native.is_some());
            }
        }
        kind => {
            for sample in &family.samples {
                let labels = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                protobuf::write::push_metric_of(&mut message, labels, sample.timestamp, |out| match kind {
                    ParsedKind::Counter => {
                        let exemplar = sample.exemplar.as_ref();
                        protobuf::write::push_counter(out, sample.value, sample.created, exemplar);
                    }
                    kind => protobuf::write::push_number(out, kind, sample.value),
                });
                page.series += 1;
            }
        }
    }
    protobuf::wire::push_varint(page.buf, message.len() as u64);
    page.buf.extend_from_slice(&message);
    page.relieve()
}

/// Collects the lines of each metric, in the order in which metrics begin.
fn groups(family: &ParsedFamily) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut by_labels: HashMap<Vec<(&str, &str)>, usize> = HashMap::new();
    for sample in &family.samples {
        let labels: Vec<_> = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let own: Vec<_> = labels.iter().copied().filter(|(name, _)| !is_bound(family.kind, name)).collect();
        let index = *by_labels.entry(own.clone()).or_insert(groups.len());
        if index == groups.len() {
            groups.push(Group { labels: own, ..Group::default() });
        }
        let Some(group) = groups.get_mut(index) else { continue };
        group.timestamp = group.timestamp.or(sample.timestamp);
        group.created = group.created.or(sample.created);
        if let Some(native) = &sample.histogram {
            group.native = Some(native);
            continue;
        }
        group.has_lines = true;
        match suffix(sample, family) {
            "_count" | "_gcount" => group.count = sample.value,
            "_sum" | "_gsum" => group.sum = sample.value,
            _ => {
                let of = labels.iter().find(|(name, _)| is_bound(family.kind, name));
                group.points.extend(of.and_then(|(_, value)| bound(value)).map(|bound| (bound, sample)));
            }
        }
    }
    groups
}

fn push_group(message: &mut Vec<u8>, group: &Group<'_>, kind: ParsedKind) {
    protobuf::write::push_metric_of(message, group.labels.iter().copied(), group.timestamp, |out| {
        if kind == ParsedKind::Summary {
            let quantiles = group.points.iter().map(|(quantile, sample)| (*quantile, sample.value));
            return protobuf::write::push_summary(out, count(group.count), group.sum, quantiles, group.created);
        }
        let (total, sum) = match group.native {
            Some(native) => (native.count, native.sum),
            None => (count(group.count), group.sum),
        };
        let buckets =
            group.points.iter().map(|(bound, sample)| (count(sample.value), *bound, sample.exemplar.as_ref()));
        protobuf::write::push_histogram_of(out, total, sum, buckets, group.native, group.created);
    });
}

/// A count that came as a float.
fn count(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole; others saturate")]
    let count = value as u64;
    count
}
