//! Messages as families.

use metric::Exemplar;

use super::{
    error::{ParseError, Place, Problem},
    family::Families,
    grammar::{Strictness, is_label_name, is_metric_name},
    wire::{Fields, Value, delimited, unzigzag, varint},
};
use crate::{
    dialect::Dialect,
    model::{Exposition, NativeHistogram, ParsedFamily, ParsedKind, ParsedSample},
    number::{BoundStyle, push_bound},
    protobuf::field,
};

type Labels = Vec<(String, String)>;

/// Reads a page.
pub(super) fn read(page: &[u8], strictness: Strictness) -> Result<Exposition, ParseError> {
    let mut families = Families::new(Dialect::Text004, strictness);
    let mut rest = page;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let at = |problem| ParseError { place: Place::Message(number), problem };
        let message = delimited(&mut rest).map_err(at)?;
        let family = family(message).map_err(at)?;
        let header = family.name.clone();
        families.push(family, &header).map_err(|fault| at(fault.problem))?;
    }
    Ok(families.finish())
}

fn family(message: &[u8]) -> Result<ParsedFamily, Problem> {
    let mut family = ParsedFamily { kind: ParsedKind::Counter, ..ParsedFamily::default() };
    for item in Fields::of(message) {
        match item? {
            (field::family::NAME, value) => family.name = value.text()?,
            (field::family::HELP, value) => family.help = value.text()?,
            (field::family::UNIT, value) => family.unit = value.text()?,
            (field::family::TYPE, value) => family.kind = kind(value.int()?)?,
            _ => {}
        }
    }
    if !is_metric_name(&family.name) {
        return Err(Problem::BadName(family.name));
    }
    for item in Fields::of(message) {
        if let (field::family::METRIC, value) = item? {
            metric(value.bytes()?, &mut family)?;
        }
    }
    Ok(family)
}

fn kind(number: u64) -> Result<ParsedKind, Problem> {
    match number {
        field::kind::COUNTER => Ok(ParsedKind::Counter),
        field::kind::GAUGE => Ok(ParsedKind::Gauge),
        field::kind::SUMMARY => Ok(ParsedKind::Summary),
        field::kind::UNTYPED => Ok(ParsedKind::Unknown),
        field::kind::HISTOGRAM => Ok(ParsedKind::Histogram),
        field::kind::GAUGE_HISTOGRAM => Ok(ParsedKind::GaugeHistogram),
        other => Err(Problem::BadType(other.to_string())),
    }
}

fn metric(message: &[u8], family: &mut ParsedFamily) -> Result<(), Problem> {
    let mut labels = Labels::new();
    let mut timestamp = None;
    let mut body = None;
    for item in Fields::of(message) {
        match item? {
            (field::metric::LABEL, value) => {
                let (name, value) = label(value.bytes()?)?;
                if !is_label_name(&name) {
                    return Err(Problem::BadName(name));
                }
                if labels.iter().any(|(other, _)| *other == name) {
                    return Err(Problem::DuplicateLabel(name));
                }
                labels.push((name, value));
            }
            (field::metric::TIMESTAMP_MS, value) => timestamp = Some(value.int()?.cast_signed()),
            (number, value) => body = Some((number, value.bytes()?)),
        }
    }
    let (number, body) = body.ok_or(Problem::Malformed("a metric without value"))?;
    let base = ParsedSample { name: family.name.clone(), labels, timestamp, ..ParsedSample::default() };
    let samples = &mut family.samples;
    match (family.kind, number) {
        (ParsedKind::Counter, field::metric::COUNTER)
        | (ParsedKind::Gauge, field::metric::GAUGE)
        | (ParsedKind::Unknown, field::metric::UNTYPED) => samples.push(plain(body, base)?),
        (ParsedKind::Summary, field::metric::SUMMARY) => summary(body, &base, samples)?,
        (ParsedKind::Histogram | ParsedKind::GaugeHistogram, field::metric::HISTOGRAM) => {
            let histogram = Histogram::read(body)?;
            histogram.lines(&base, family.kind, samples);
        }
        _ => return Err(Problem::Malformed("a metric of another type than its family")),
    }
    Ok(())
}

fn label(message: &[u8]) -> Result<(String, String), Problem> {
    let (mut name, mut text) = (String::new(), String::new());
    for item in Fields::of(message) {
        match item? {
            (field::label::NAME, value) => name = value.text()?,
            (field::label::VALUE, value) => text = value.text()?,
            _ => {}
        }
    }
    Ok((name, text))
}

fn plain(message: &[u8], mut sample: ParsedSample) -> Result<ParsedSample, Problem> {
    for item in Fields::of(message) {
        match item? {
            (field::number::VALUE, value) => sample.value = value.double()?,
            (field::number::EXEMPLAR, value) => sample.exemplar = Some(exemplar(value.bytes()?)?),
            (field::number::CREATED, value) => sample.created = Some(time(value.bytes()?)?),
            _ => {}
        }
    }
    Ok(sample)
}

fn summary(message: &[u8], base: &ParsedSample, samples: &mut Vec<ParsedSample>) -> Result<(), Problem> {
    let (mut count, mut sum, mut created) = (0, 0.0, None);
    for item in Fields::of(message) {
        match item? {
            (field::summary::COUNT, value) => count = value.int()?,
            (field::summary::SUM, value) => sum = value.double()?,
            (field::summary::CREATED, value) => created = Some(time(value.bytes()?)?),
            (field::summary::QUANTILE, value) => {
                let (mut quantile, mut number) = (0.0, 0.0);
                for item in Fields::of(value.bytes()?) {
                    match item? {
                        (field::quantile::QUANTILE, value) => quantile = value.double()?,
                        (field::quantile::VALUE, value) => number = value.double()?,
                        _ => {}
                    }
                }
                samples.push(with_bound(base, "", "quantile", quantile, number));
            }
            _ => {}
        }
    }
    samples.push(suffixed(base, "_sum", sum));
    samples.push(ParsedSample { created, ..suffixed(base, "_count", count as f64) });
    Ok(())
}

#[derive(Default)]
struct Histogram {
    native: NativeHistogram,
    is_native: bool,
    /// (cumulative count, upper bound, exemplar)
    buckets: Vec<(f64, f64, Option<Exemplar>)>,
    /// As floats say it; 0 when they do not.
    count_float: f64,
    created: Option<f64>,
}

impl Histogram {
    fn read(message: &[u8]) -> Result<Self, Problem> {
        let mut histogram = Self::default();
        let (mut positive, mut negative) = (Buckets::default(), Buckets::default());
        for item in Fields::of(message) {
            let native = &mut histogram.native;
            match item? {
                (field::histogram::COUNT, value) => native.count = value.int()?,
                (field::histogram::COUNT_FLOAT, value) => histogram.count_float = value.double()?,
                (field::histogram::SUM, value) => native.sum = value.double()?,
                (field::histogram::BUCKET, value) => histogram.buckets.push(bucket(value.bytes()?)?),
                (field::histogram::SCHEMA, value) => {
                    native.schema = i32::try_from(unzigzag(value.int()?)).map_err(|_| Problem::Malformed("schema"))?;
                }
                (field::histogram::ZERO_THRESHOLD, value) => native.zero_threshold = value.double()?,
                (field::histogram::ZERO_COUNT, value) => native.zero_count = value.int()?,
                (field::histogram::POSITIVE_SPAN, value) => positive.span(value.bytes()?)?,
                (field::histogram::POSITIVE_DELTA, value) => positive.delta(value)?,
                (field::histogram::NEGATIVE_SPAN, value) => negative.span(value.bytes()?)?,
                (field::histogram::NEGATIVE_DELTA, value) => negative.delta(value)?,
                (field::histogram::CREATED, value) => histogram.created = Some(time(value.bytes()?)?),
                (field::histogram::EXEMPLAR, value) => native.exemplars.push(exemplar(value.bytes()?)?),
                _ => {}
            }
        }
        histogram.is_native = positive.any_span
            || negative.any_span
            || histogram.native.zero_threshold > 0.0
            || histogram.native.zero_count > 0;
        histogram.native.positive = positive.counts()?;
        histogram.native.negative = negative.counts()?;
        Ok(histogram)
    }

    /// Adds the lines that the histogram is in text, then the native one.
    fn lines(self, base: &ParsedSample, kind: ParsedKind, samples: &mut Vec<ParsedSample>) {
        let (count_suffix, sum_suffix) =
            if kind == ParsedKind::GaugeHistogram { ("_gcount", "_gsum") } else { ("_count", "_sum") };
        let count = if self.count_float > 0.0 { self.count_float } else { self.native.count as f64 };
        if !self.is_native || !self.buckets.is_empty() {
            let infinite = self.buckets.last().is_some_and(|(_, bound, _)| *bound == f64::INFINITY);
            for (cumulative, bound, exemplar) in self.buckets {
                samples.push(ParsedSample { exemplar, ..with_bound(base, "_bucket", "le", bound, cumulative) });
            }
            if !infinite {
                samples.push(with_bound(base, "_bucket", "le", f64::INFINITY, count));
            }
            samples.push(suffixed(base, sum_suffix, self.native.sum));
            samples.push(ParsedSample { created: self.created, ..suffixed(base, count_suffix, count) });
        }
        if self.is_native {
            let created = self.created;
            let histogram = Some(Box::new(self.native));
            samples.push(ParsedSample { value: count, created, histogram, ..base.clone() });
        }
    }
}

fn bucket(message: &[u8]) -> Result<(f64, f64, Option<Exemplar>), Problem> {
    let (mut count, mut count_float, mut bound, mut found) = (0, 0.0, 0.0, None);
    for item in Fields::of(message) {
        match item? {
            (field::bucket::CUMULATIVE_COUNT, value) => count = value.int()?,
            (field::bucket::CUMULATIVE_COUNT_FLOAT, value) => count_float = value.double()?,
            (field::bucket::UPPER_BOUND, value) => bound = value.double()?,
            (field::bucket::EXEMPLAR, value) => found = Some(exemplar(value.bytes()?)?),
            _ => {}
        }
    }
    Ok((if count_float > 0.0 { count_float } else { count as f64 }, bound, found))
}

/// Native buckets as spans and deltas.
#[derive(Default)]
struct Buckets {
    any_span: bool,
    indexes: Vec<i32>,
    next: i64,
    deltas: Vec<i64>,
}

/// More than any histogram has; a span that says more is not believed.
const MOST_BUCKETS: usize = 1 << 20;

impl Buckets {
    fn span(&mut self, message: &[u8]) -> Result<(), Problem> {
        let (mut offset, mut length) = (0, 0);
        for item in Fields::of(message) {
            match item? {
                (field::span::OFFSET, value) => offset = unzigzag(value.int()?),
                (field::span::LENGTH, value) => length = value.int()?,
                _ => {}
            }
        }
        self.any_span = true;
        self.next = self.next.saturating_add(offset);
        for _ in 0..length {
            if self.indexes.len() >= MOST_BUCKETS {
                return Err(Problem::Malformed("too many buckets"));
            }
            self.indexes.push(i32::try_from(self.next).map_err(|_| Problem::Malformed("bucket index"))?);
            self.next += 1;
        }
        Ok(())
    }

    /// One delta, or a packed list of them.
    fn delta(&mut self, value: Value<'_>) -> Result<(), Problem> {
        let Value::Bytes(mut packed) = value else {
            self.deltas.push(unzigzag(value.int()?));
            return Ok(());
        };
        while !packed.is_empty() {
            self.deltas.push(unzigzag(varint(&mut packed)?));
        }
        Ok(())
    }

    fn counts(self) -> Result<Vec<(i32, u64)>, Problem> {
        if self.indexes.len() != self.deltas.len() {
            return Err(Problem::Malformed("spans and deltas differ in number"));
        }
        let mut count = 0_i64;
        let mut counts = Vec::with_capacity(self.indexes.len());
        for (index, delta) in self.indexes.into_iter().zip(self.deltas) {
            count = count.wrapping_add(delta);
            if count != 0 {
                counts.push((index, count.cast_unsigned()));
            }
        }
        Ok(counts)
    }
}

fn exemplar(message: &[u8]) -> Result<Exemplar, Problem> {
    let mut exemplar = Exemplar::default();
    for item in Fields::of(message) {
        match item? {
            (field::exemplar::LABEL, value) => exemplar.labels.push(label(value.bytes()?)?),
            (field::exemplar::VALUE, value) => exemplar.value = value.double()?,
            (field::exemplar::TIMESTAMP, value) => exemplar.timestamp = Some(time(value.bytes()?)?),
            _ => {}
        }
    }
    Ok(exemplar)
}

fn time(message: &[u8]) -> Result<f64, Problem> {
    let (mut seconds, mut nanos) = (0, 0);
    for item in Fields::of(message) {
        match item? {
            (field::timestamp::SECONDS, value) => seconds = value.int()?.cast_signed(),
            (field::timestamp::NANOS, value) => nanos = value.int()?.cast_signed(),
            _ => {}
        }
    }
    Ok(seconds as f64 + nanos as f64 / 1e9)
}

fn suffixed(base: &ParsedSample, suffix: &str, value: f64) -> ParsedSample {
    ParsedSample { name: format!("{}{suffix}", base.name), value, ..base.clone() }
}

fn with_bound(base: &ParsedSample, suffix: &str, label: &str, bound: f64, value: f64) -> ParsedSample {
    let mut sample = suffixed(base, suffix, value);
    let mut text = Vec::new();
    push_bound(&mut text, bound, BoundStyle::Text);
    sample.labels.push((label.to_owned(), String::from_utf8_lossy(&text).into_owned()));
    sample
}
