//! Families of a batch in the two text formats.

use std::io;

use metric::{Desc, Exemplar, Histogram, Sample};

use crate::{
    dialect::Dialect,
    escape::{push_help_004, push_label_value},
    model::ParsedKind,
    number::{BoundStyle, push_bound, push_count, push_value},
    page::{Page, Pieces, Scratch},
    shape::{self, Shape},
};

/// The longest exemplar that OpenMetrics allows: characters of names and values in all.
const EXEMPLAR_CHARS: usize = 128;

fn shape_of(desc: &Desc, dialect: Dialect) -> Shape<'static> {
    match dialect {
        Dialect::Text004 => shape::text(desc.name, desc.kind.into()),
        Dialect::OpenMetrics => {
            let labels = desc.all_labels().map(|label| label.name);
            shape::openmetrics(desc.name, desc.kind.into(), desc.unit.suffix(), labels)
        }
    }
}

/// Appends the header lines of a family.
pub(crate) fn push_header(out: &mut Vec<u8>, shape: Shape<'_>, help: &str, dialect: Dialect) {
    if !help.is_empty() {
        push_all(out, &[b"# HELP ", shape.name.as_bytes(), b" "]);
        match dialect {
            Dialect::Text004 => push_help_004(out, help),
            Dialect::OpenMetrics => push_label_value(out, help),
        }
        out.push(b'\n');
    }
    push_all(out, &[b"# TYPE ", shape.name.as_bytes(), b" ", dialect.kind(shape.kind).as_bytes(), b"\n"]);
    if !shape.unit.is_empty() {
        push_all(out, &[b"# UNIT ", shape.name.as_bytes(), b" ", shape.unit.as_bytes(), b"\n"]);
    }
}

/// Appends `a="1",b="2"`.
pub(crate) fn push_labels<'n, 'v>(out: &mut Vec<u8>, labels: impl Iterator<Item = (&'n str, &'v str)>) {
    for (i, (name, value)) in labels.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_label(out, name, value);
    }
}

#[inline]
fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    push_label_value(out, value);
    out.push(b'"');
}

/// Appends the labels of a sample, subject first.
#[inline]
fn push_sample_labels(out: &mut Vec<u8>, subjects: &Pieces, sample: &Sample<'_>) {
    let labels = sample.labels();
    let subject = labels.subject_index().map_or(&[][..], |index| subjects.piece(index));
    out.extend_from_slice(subject);
    let mut comma = !subject.is_empty();
    for (name, value) in labels.own() {
        if comma {
            out.push(b',');
        }
        push_label(out, name, value);
        comma = true;
    }
}

/// Appends ` # {trace_id="…"} 0.5 1700000000.1`, unless it is too long for the format.
pub(crate) fn push_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    let chars: usize = exemplar.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if chars > EXEMPLAR_CHARS {
        return;
    }
    out.extend_from_slice(b" # {");
    push_labels(out, exemplar.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    out.extend_from_slice(b"} ");
    push_value(out, exemplar.value);
    if let Some(timestamp) = exemplar.timestamp {
        out.push(b' ');
        push_value(out, timestamp);
    }
}

/// Appends `name_suffix{labels,more} `, without braces when there are no labels.
pub(crate) fn push_series(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &[u8], more: &[u8]) {
    push_all(out, &[name.as_bytes(), suffix.as_bytes()]);
    match (labels.is_empty(), more.is_empty()) {
        (true, true) => out.push(b' '),
        (false, false) => push_all(out, &[b"{", labels, b",", more, b"} "]),
        _ => push_all(out, &[b"{", labels, more, b"} "]),
    }
}

fn push_all(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

/// Writes a family of plain numbers in text 0.0.4, which knows neither created times nor exemplars.
pub(crate) fn plain<'b>(
    page: &mut Page<'_>,
    subjects: &Pieces,
    samples: impl Iterator<Item = Sample<'b>>,
    desc: &'static Desc,
) -> io::Result<()> {
    push_header(page.buf, shape_of(desc, Dialect::Text004), desc.help, Dialect::Text004);
    for sample in samples {
        push_number(page.buf, subjects, desc, &sample);
        page.buf.push(b'\n');
        page.series += 1;
        page.relieve()?;
    }
    Ok(())
}

/// Writes a family of plain numbers in OpenMetrics.
pub(crate) fn openmetrics<'b>(
    page: &mut Page<'_>,
    scratch: &mut Scratch,
    samples: impl Iterator<Item = Sample<'b>>,
    desc: &'static Desc,
) -> io::Result<()> {
    let shape = shape_of(desc, Dialect::OpenMetrics);
    let counter = shape.kind == ParsedKind::Counter;
    push_header(page.buf, shape, desc.help, Dialect::OpenMetrics);
    for sample in samples {
        push_number(page.buf, &scratch.subjects, desc, &sample);
        let extra = sample.extra().filter(|_| counter);
        if let Some(exemplar) = extra.and_then(|extra| extra.exemplar.as_ref()) {
            push_exemplar(page.buf, exemplar);
        }
        page.buf.push(b'\n');
        if let Some(created) = extra.and_then(|extra| extra.created) {
            scratch.labels.clear();
            push_sample_labels(&mut scratch.labels, &scratch.subjects, &sample);
            push_series(page.buf, shape.name, "_created", &scratch.labels, &[]);
            push_value(page.buf, created);
            page.buf.push(b'\n');
        }
        page.series += 1;
        page.relieve()?;
    }
    Ok(())
}

/// Appends `name{labels} number`. This is the hot path.
#[inline]
fn push_number(out: &mut Vec<u8>, subjects: &Pieces, desc: &Desc, sample: &Sample<'_>) {
    out.extend_from_slice(desc.name.as_bytes());
    out.push(b'{');
    let start = out.len();
    push_sample_labels(out, subjects, sample);
    if out.len() == start {
        out.truncate(start - 1);
        out.push(b' ');
    } else {
        out.extend_from_slice(b"} ");
    }
    push_value(out, sample.number());
}

/// Writes a family of histograms. Both text formats know classic buckets only: what has none shows +Inf's, the sum and
/// the count.
pub(crate) fn histograms<'b>(
    page: &mut Page<'_>,
    scratch: &mut Scratch,
    samples: impl Iterator<Item = Sample<'b>>,
    desc: &'static Desc,
    dialect: Dialect,
) -> io::Result<()> {
    push_header(page.buf, shape_of(desc, dialect), desc.help, dialect);
    for sample in samples {
        let Some(histogram) = sample.histogram() else { continue };
        scratch.labels.clear();
        push_sample_labels(&mut scratch.labels, &scratch.subjects, &sample);
        push_histogram(page, scratch, desc.name, histogram, dialect);
        page.relieve()?;
    }
    Ok(())
}

fn push_histogram(page: &mut Page<'_>, scratch: &mut Scratch, name: &str, histogram: &Histogram, dialect: Dialect) {
    let classic = histogram.classic.as_ref();
    let bounds = classic.map_or(&[][..], |classic| classic.bounds);
    render_bounds(scratch, bounds, dialect.bounds());
    let mut cumulative = if classic.is_none() { histogram.count() } else { 0 };
    let mut below = f64::NEG_INFINITY;
    for bucket in 0..=bounds.len() {
        let bound = bounds.get(bucket).copied().unwrap_or(f64::INFINITY);
        cumulative += classic.and_then(|classic| classic.counts.get(bucket)).copied().unwrap_or(0);
        push_series(page.buf, name, "_bucket", &scratch.labels, scratch.bounds.piece(bucket));
        push_count(page.buf, cumulative);
        if dialect == Dialect::OpenMetrics
            && let Some(exemplar) = histogram.exemplar_between(below, bound)
        {
            push_exemplar(page.buf, exemplar);
        }
        page.buf.push(b'\n');
        below = bound;
    }
    push_series(page.buf, name, "_sum", &scratch.labels, &[]);
    push_value(page.buf, histogram.sum());
    page.buf.push(b'\n');
    push_series(page.buf, name, "_count", &scratch.labels, &[]);
    push_count(page.buf, cumulative);
    page.buf.push(b'\n');
    page.series += bounds.len() as u64 + 3;
    if dialect == Dialect::OpenMetrics
        && let Some(created) = histogram.created
    {
        push_series(page.buf, name, "_created", &scratch.labels, &[]);
        push_value(page.buf, created);
        page.buf.push(b'\n');
    }
}

/// Makes `scratch.bounds` the `le="…"` of these bounds and of +Inf.
fn render_bounds(scratch: &mut Scratch, bounds: &'static [f64], style: BoundStyle) {
    if std::ptr::eq(scratch.bounds_of, bounds) && scratch.bounds.len() == bounds.len() + 1 {
        return;
    }
    scratch.bounds.clear();
    for bound in bounds.iter().copied().chain([f64::INFINITY]) {
        scratch.bounds.push(|out| {
            out.extend_from_slice(b"le=\"");
            push_bound(out, bound, style);
            out.push(b'"');
        });
    }
    scratch.bounds_of = bounds;
}
