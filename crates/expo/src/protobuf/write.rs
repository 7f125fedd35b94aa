//! Families of a batch as messages.

use std::io;

use metric::{Desc, Exemplar, Histogram, Sample};

use super::{
    field,
    wire::{push_double, push_int, push_nested, push_string, push_varint, zigzag},
};
use crate::{
    model::{NativeHistogram, ParsedKind},
    page::{CHUNK, Page, Pieces, Scratch},
    shape::{self, Shape},
};

/// Writes a family.
///
/// Its length stands before it. A family that fits into one chunk is written into the scratch and copied; of a longer
/// one only the length is kept, and it is written a second time, so memory stays bounded.
pub(crate) fn family<'b, S: Iterator<Item = Sample<'b>>>(
    page: &mut Page<'_>,
    scratch: &mut Scratch,
    samples: impl Fn() -> S,
    desc: &'static Desc,
) -> io::Result<()> {
    let shape = shape::protobuf(desc.name, desc.kind.into(), desc.unit.suffix());
    let Scratch { subjects, body, .. } = scratch;
    body.clear();
    push_head(body, shape, desc.help);
    let mut passed = 0;
    for sample in samples() {
        push_metric(body, subjects, shape.kind, &sample);
        page.series += lines(&sample);
        if body.len() >= CHUNK {
            passed += body.len();
            body.clear();
        }
    }
    push_varint(page.buf, (passed + body.len()) as u64);
    if passed == 0 {
        page.buf.extend_from_slice(body);
        return page.relieve();
    }
    push_head(page.buf, shape, desc.help);
    for sample in samples() {
        push_metric(page.buf, subjects, shape.kind, &sample);
        page.relieve()?;
    }
    Ok(())
}

/// The number of series that the sample is.
fn lines(sample: &Sample<'_>) -> u64 {
    let Some(histogram) = sample.histogram() else { return 1 };
    let classic = histogram.classic.as_ref().map(|classic| classic.bounds.len() as u64 + 3);
    match (classic, &histogram.native) {
        (Some(classic), Some(_)) => classic + 1,
        (Some(classic), None) => classic,
        (None, Some(_)) => 1,
        (None, None) => 3,
    }
}

/// Appends all of a family but its metrics.
pub(crate) fn push_head(out: &mut Vec<u8>, shape: Shape<'_>, help: &str) {
    push_string(out, field::family::NAME, shape.name);
    if !help.is_empty() {
        push_string(out, field::family::HELP, help);
    }
    let kind = match shape.kind {
        ParsedKind::Counter => field::kind::COUNTER,
        ParsedKind::Gauge | ParsedKind::Info | ParsedKind::StateSet => field::kind::GAUGE,
        ParsedKind::Summary => field::kind::SUMMARY,
        ParsedKind::Histogram => field::kind::HISTOGRAM,
        ParsedKind::GaugeHistogram => field::kind::GAUGE_HISTOGRAM,
        ParsedKind::Unknown => field::kind::UNTYPED,
    };
    push_int(out, field::family::TYPE, kind);
    if !shape.unit.is_empty() {
        push_string(out, field::family::UNIT, shape.unit);
    }
}

/// Appends label pairs, as fields of a metric.
pub(crate) fn push_labels<'n, 'v>(out: &mut Vec<u8>, labels: impl Iterator<Item = (&'n str, &'v str)>) {
    for (name, value) in labels {
        push_label(out, field::metric::LABEL, name, value);
    }
}

#[inline]
fn push_label(out: &mut Vec<u8>, number: u32, name: &str, value: &str) {
    push_nested(out, number, |out| {
        push_string(out, field::label::NAME, name);
        push_string(out, field::label::VALUE, value);
    });
}

fn push_metric(out: &mut Vec<u8>, subjects: &Pieces, kind: ParsedKind, sample: &Sample<'_>) {
    push_nested(out, field::family::METRIC, |out| {
        let labels = sample.labels();
        if let Some(index) = labels.subject_index() {
            out.extend_from_slice(subjects.piece(index));
        }
        push_labels(out, labels.own());
        match (kind, sample.histogram()) {
            (_, Some(histogram)) => push_histogram(out, histogram),
            (ParsedKind::Counter, None) => {
                let extra = sample.extra();
                let created = extra.and_then(|extra| extra.created);
                push_counter(out, sample.number(), created, extra.and_then(|extra| extra.exemplar.as_ref()));
            }
            (kind, None) => push_number(out, kind, sample.number()),
        }
    });
}

/// Appends a metric, as a field of a family; `body` writes its value.
pub(crate) fn push_metric_of<'a>(
    out: &mut Vec<u8>,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    timestamp_ms: Option<i64>,
    body: impl FnOnce(&mut Vec<u8>),
) {
    push_nested(out, field::family::METRIC, |out| {
        push_labels(out, labels);
        body(out);
        if let Some(timestamp) = timestamp_ms {
            push_int(out, field::metric::TIMESTAMP_MS, timestamp.cast_unsigned());
        }
    });
}

/// Appends a gauge or an untyped value, as a field of a metric.
pub(crate) fn push_number(out: &mut Vec<u8>, kind: ParsedKind, value: f64) {
    let number = if kind == ParsedKind::Unknown { field::metric::UNTYPED } else { field::metric::GAUGE };
    push_nested(out, number, |out| push_double(out, field::number::VALUE, value));
}

/// Appends a counter, as a field of a metric.
pub(crate) fn push_counter(out: &mut Vec<u8>, value: f64, created: Option<f64>, exemplar: Option<&Exemplar>) {
    push_nested(out, field::metric::COUNTER, |out| {
        push_double(out, field::number::VALUE, value);
        if let Some(exemplar) = exemplar {
            push_exemplar(out, field::number::EXEMPLAR, exemplar);
        }
        if let Some(created) = created {
            push_timestamp(out, field::number::CREATED, created);
        }
    });
}

fn push_histogram(out: &mut Vec<u8>, histogram: &Histogram) {
    let classic = histogram.classic.as_ref();
    let observed = classic.map_or(histogram.count(), |classic| classic.counts.iter().sum());
    let count = if histogram.native.is_some() { histogram.count() } else { observed };
    push_nested(out, field::metric::HISTOGRAM, |out| {
        push_int(out, field::histogram::COUNT, count);
        push_double(out, field::histogram::SUM, histogram.sum());
        if let Some(classic) = classic {
            let (mut cumulative, mut below) = (0, f64::NEG_INFINITY);
            let bounds = classic.bounds.iter().copied().chain([f64::INFINITY]);
            for (bound, count) in bounds.zip(&classic.counts) {
                cumulative += count;
                push_bucket(out, cumulative, bound, histogram.exemplar_between(below, bound));
                below = bound;
            }
        }
        if let Some(native) = &histogram.native {
            push_resolution(out, native.schema, native.zero_threshold, native.zero);
            push_native_buckets(out, &[], &native.positive, native.zero_threshold == 0.0 && native.zero == 0);
            push_exemplars(out, &histogram.exemplars);
        }
        if let Some(created) = histogram.created {
            push_timestamp(out, field::histogram::CREATED, created);
        }
    });
}

/// Appends a histogram of the model, as a field of a metric. `buckets` are (cumulative count, upper bound, exemplar).
pub(crate) fn push_histogram_of<'a>(
    out: &mut Vec<u8>,
    count: u64,
    sum: f64,
    buckets: impl Iterator<Item = (u64, f64, Option<&'a Exemplar>)>,
    native: Option<&NativeHistogram>,
    created: Option<f64>,
) {
    push_nested(out, field::metric::HISTOGRAM, |out| {
        push_int(out, field::histogram::COUNT, count);
        push_double(out, field::histogram::SUM, sum);
        for (cumulative, bound, exemplar) in buckets {
            push_bucket(out, cumulative, bound, exemplar);
        }
        if let Some(native) = native {
            push_resolution(out, native.schema, native.zero_threshold, native.zero_count);
            let bare = native.zero_threshold == 0.0 && native.zero_count == 0;
            push_native_buckets(out, &native.negative, &native.positive, bare);
            push_exemplars(out, &native.exemplars);
        }
        if let Some(created) = created {
            push_timestamp(out, field::histogram::CREATED, created);
        }
    });
}

/// Appends a summary, as a field of a metric. `quantiles` are (quantile, value).
pub(crate) fn push_summary(
    out: &mut Vec<u8>,
    count: u64,
    sum: f64,
    quantiles: impl Iterator<Item = (f64, f64)>,
    created: Option<f64>,
) {
    push_nested(out, field::metric::SUMMARY, |out| {
        push_int(out, field::summary::COUNT, count);
        push_double(out, field::summary::SUM, sum);
        for (quantile, value) in quantiles {
            push_nested(out, field::summary::QUANTILE, |out| {
                push_double(out, field::quantile::QUANTILE, quantile);
                push_double(out, field::quantile::VALUE, value);
            });
        }
        if let Some(created) = created {
            push_timestamp(out, field::summary::CREATED, created);
        }
    });
}

fn push_bucket(out: &mut Vec<u8>, cumulative: u64, bound: f64, exemplar: Option<&Exemplar>) {
    push_nested(out, field::histogram::BUCKET, |out| {
        push_int(out, field::bucket::CUMULATIVE_COUNT, cumulative);
        push_double(out, field::bucket::UPPER_BOUND, bound);
        if let Some(exemplar) = exemplar {
            push_exemplar(out, field::bucket::EXEMPLAR, exemplar);
        }
    });
}

fn push_exemplars(out: &mut Vec<u8>, exemplars: &[Exemplar]) {
    for exemplar in exemplars {
        push_exemplar(out, field::histogram::EXEMPLAR, exemplar);
    }
}

fn push_resolution(out: &mut Vec<u8>, schema: i32, zero_threshold: f64, zero: u64) {
    push_int(out, field::histogram::SCHEMA, zigzag(schema.into()));
    push_double(out, field::histogram::ZERO_THRESHOLD, zero_threshold);
    push_int(out, field::histogram::ZERO_COUNT, zero);
}

/// Appends native buckets. `bare`: no other field shows that the histogram is native, so an empty span must when there
/// are no buckets.
fn push_native_buckets(out: &mut Vec<u8>, negative: &[(i32, u64)], positive: &[(i32, u64)], bare: bool) {
    push_spans(out, field::histogram::NEGATIVE_SPAN, field::histogram::NEGATIVE_DELTA, negative);
    push_spans(out, field::histogram::POSITIVE_SPAN, field::histogram::POSITIVE_DELTA, positive);
    if bare && positive.is_empty() && negative.is_empty() {
        push_span(out, field::histogram::POSITIVE_SPAN, 0, 0);
    }
}

/// Spans are runs of neighbouring buckets: the gap to the run before, and how many. Counts are differences to the
/// bucket before.
fn push_spans(out: &mut Vec<u8>, spans: u32, deltas: u32, buckets: &[(i32, u64)]) {
    let mut end = 0;
    for run in buckets.chunk_by(|a, b| a.0.checked_add(1) == Some(b.0)) {
        let Some((first, _)) = run.first() else { continue };
        push_span(out, spans, i64::from(*first) - end, run.len() as u64);
        end = i64::from(*first) + i64::try_from(run.len()).unwrap_or(i64::MAX);
    }
    if buckets.is_empty() {
        return;
    }
    push_nested(out, deltas, |out| {
        let mut before = 0_u64;
        for (_, count) in buckets {
            push_varint(out, zigzag(count.wrapping_sub(before).cast_signed()));
            before = *count;
        }
    });
}

fn push_span(out: &mut Vec<u8>, number: u32, offset: i64, length: u64) {
    push_nested(out, number, |out| {
        push_int(out, field::span::OFFSET, zigzag(offset));
        push_int(out, field::span::LENGTH, length);
    });
}

/// Appends an exemplar as this field.
fn push_exemplar(out: &mut Vec<u8>, number: u32, exemplar: &Exemplar) {
    push_nested(out, number, |out| {
        for (name, value) in &exemplar.labels {
            push_label(out, field::exemplar::LABEL, name, value);
        }
        push_double(out, field::exemplar::VALUE, exemplar.value);
        if let Some(timestamp) = exemplar.timestamp {
            push_timestamp(out, field::exemplar::TIMESTAMP, timestamp);
        }
    });
}

/// Appends a point in time as this field.
fn push_timestamp(out: &mut Vec<u8>, number: u32, seconds: f64) {
    let (mut whole, mut nanos) = (seconds.floor(), ((seconds - seconds.floor()) * 1e9).round());
    if nanos >= 1e9 {
        (whole, nanos) = (whole + 1.0, 0.0);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a point in time is in range; others saturate")]
    let (whole, nanos) = (whole as i64, nanos as i64);
    push_nested(out, number, |out| {
        push_int(out, field::timestamp::SECONDS, whole.cast_unsigned());
        push_int(out, field::timestamp::NANOS, nanos.cast_unsigned());
    });
}
