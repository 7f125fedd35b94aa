//! Encodes batches as pages.

use std::io::{self, Write};

use metric::{Batch, Desc, Kind, Sample};

use crate::{
    dialect::Dialect,
    model::Exposition,
    negotiate::Format,
    page::{Page, Scratch, Stats},
    protobuf, rewrite, text,
    unique::{self, Names},
};

/// Writes pages. It keeps its buffers: after the first page of a kind, writing allocates nothing.
///
/// A family may occur in one batch only: formats want all samples of a family together, and batches are written one
/// after the other, families in the order in which each batch got them.
///
/// A series stands once on a page, whatever it is given: of several the first is written. A family with a name that the
/// page has already is left out as a whole, and so is one whose lines would be called as those of another: `x_count`
/// beside a histogram `x`. [`Encoder::left_out`] tells of both.
#[derive(Debug, Default)]
pub struct Encoder {
    buf: Vec<u8>,
    scratch: Scratch,
    names: Names,
    left_out: Vec<(String, u64)>,
}

impl Encoder {
    /// Writes a whole page. Fails when `out` does.
    pub fn encode(&mut self, batches: &[&Batch], format: Format, out: &mut dyn Write) -> io::Result<Stats> {
        let mut stats = self.append(batches, format, out)?;
        stats += self.finish(format, out)?;
        Ok(stats)
    }

    /// Writes families that others may follow. A page is any number of these, then [`Encoder::finish`].
    pub fn append(&mut self, batches: &[&Batch], format: Format, out: &mut dyn Write) -> io::Result<Stats> {
        let Self { buf, scratch, names, left_out } = self;
        let mut page = Page::new(buf, out);
        for batch in batches {
            append_batch(&mut page, scratch, batch, format, names, left_out)?;
        }
        page.end()
    }

    /// Writes families that were read elsewhere, like [`Encoder::append`].
    pub fn append_exposition(
        &mut self,
        exposition: &Exposition,
        format: Format,
        out: &mut dyn Write,
    ) -> io::Result<Stats> {
        let Self { buf, names, left_out, .. } = self;
        let mut page = Page::new(buf, out);
        for family in &exposition.families {
            if names.are_free(&family.name, family.kind) {
                let once = unique::once(family);
                note(left_out, &family.name, family.samples.len() - once.samples.len());
                rewrite::append(&mut page, &once, format)?;
            } else {
                note(left_out, &family.name, family.samples.len());
            }
        }
        page.end()
    }

    /// Writes what ends a page: the `# EOF` of OpenMetrics, nothing in other formats.
    pub fn finish(&mut self, format: Format, out: &mut dyn Write) -> io::Result<Stats> {
        self.names.begin();
        let page = Page::new(&mut self.buf, out);
        if format == Format::OpenMetrics1 {
            page.buf.extend_from_slice(b"# EOF\n");
        }
        page.end()
    }

    /// Families of which samples were left out since the last call, since their series were on the page already, and how
    /// many samples.
    pub fn left_out(&mut self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.left_out)
    }
}

fn note(left_out: &mut Vec<(String, u64)>, family: &str, samples: usize) {
    if samples > 0 {
        left_out.push((family.to_owned(), samples as u64));
    }
}

/// Writes a whole page with buffers of its own. See [`Encoder::encode`].
pub fn encode(batches: &[&Batch], format: Format, out: &mut dyn Write) -> io::Result<Stats> {
    Encoder::default().encode(batches, format, out)
}

/// Writes a page that was read elsewhere, with buffers of its own. What the format cannot carry is left out: exemplars and created times in text 0.0.4, native
/// buckets in both text formats. Fails when `out` does.
pub fn encode_exposition(exposition: &Exposition, format: Format, out: &mut dyn Write) -> io::Result<Stats> {
    let mut encoder = Encoder::default();
    let mut stats = encoder.append_exposition(exposition, format, out)?;
    stats += encoder.finish(format, out)?;
    Ok(stats)
}

fn append_batch(
    page: &mut Page<'_>,
    scratch: &mut Scratch,
    batch: &Batch,
    format: Format,
    names: &mut Names,
    left_out: &mut Vec<(String, u64)>,
) -> io::Result<()> {
    scratch.subjects.clear();
    scratch.bounds_of = &[];
    for subject in 0..batch.subjects() {
        scratch.subjects.push(|out| match format {
            Format::Protobuf => protobuf::write::push_labels(out, batch.subject_labels(subject)),
            Format::Text004 | Format::OpenMetrics1 => text::push_labels(out, batch.subject_labels(subject)),
        });
    }
    // Out of the scratch while families are written, which change the rest of it.
    let mut repeats = std::mem::take(&mut scratch.repeats);
    repeats.find(batch);
    left_out.extend(repeats.counts(batch).map(|(desc, samples)| (desc.name.to_owned(), samples)));
    for desc in batch.families() {
        if !names.are_free(desc.name, desc.kind.into()) {
            note(left_out, desc.name, repeats.firsts(batch, desc).count());
            continue;
        }
        if repeats.has(desc) {
            append_family(page, scratch, || repeats.firsts(batch, desc), desc, format)?;
        } else {
            append_family(page, scratch, || batch.samples(desc), desc, format)?;
        }
    }
    scratch.repeats = repeats;
    Ok(())
}

fn append_family<'b, S: Iterator<Item = Sample<'b>>>(
    page: &mut Page<'_>,
    scratch: &mut Scratch,
    samples: impl Fn() -> S,
    desc: &'static Desc,
    format: Format,
) -> io::Result<()> {
    match (format, desc.kind) {
        (Format::Protobuf, _) => protobuf::write::family(page, scratch, samples, desc),
        (Format::Text004, Kind::Histogram) => text::histograms(page, scratch, samples(), desc, Dialect::Text004),
        (Format::OpenMetrics1, Kind::Histogram) => {
            text::histograms(page, scratch, samples(), desc, Dialect::OpenMetrics)
        }
        (Format::Text004, _) => text::plain(page, &scratch.subjects, samples(), desc),
        (Format::OpenMetrics1, _) => text::openmetrics(page, scratch, samples(), desc),
    }
}
