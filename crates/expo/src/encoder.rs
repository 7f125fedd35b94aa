//! Encodes batches as pages.

use std::io::{self, Write};

use metric::{Batch, Kind};

use crate::{
    dialect::Dialect,
    model::Exposition,
    negotiate::Format,
    page::{Page, Scratch, Stats},
    protobuf, rewrite, text,
};

/// Writes pages. It keeps its buffers: after the first page of a kind, writing allocates nothing.
///
/// A family may occur in one batch only: formats want all samples of a family together, and batches are written one
/// after the other, families in the order in which each batch got them.
#[derive(Debug, Default)]
pub struct Encoder {
    buf: Vec<u8>,
    scratch: Scratch,
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
        let scratch = &mut self.scratch;
        let mut page = Page::new(&mut self.buf, out);
        for batch in batches {
            append_batch(&mut page, scratch, batch, format)?;
        }
        page.end()
    }

    /// Writes families that were read elsewhere, like [`Encoder::append`]. They must not be among those of the batches.
    pub fn append_exposition(
        &mut self,
        exposition: &Exposition,
        format: Format,
        out: &mut dyn Write,
    ) -> io::Result<Stats> {
        let mut page = Page::new(&mut self.buf, out);
        rewrite::append(&mut page, exposition, format)?;
        page.end()
    }

    /// Writes what ends a page: the `# EOF` of OpenMetrics, nothing in other formats.
    pub fn finish(&mut self, format: Format, out: &mut dyn Write) -> io::Result<Stats> {
        let page = Page::new(&mut self.buf, out);
        if format == Format::OpenMetrics1 {
            page.buf.extend_from_slice(b"# EOF\n");
        }
        page.end()
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

fn append_batch(page: &mut Page<'_>, scratch: &mut Scratch, batch: &Batch, format: Format) -> io::Result<()> {
    scratch.subjects.clear();
    scratch.bounds_of = &[];
    for subject in 0..batch.subjects() {
        scratch.subjects.push(|out| match format {
            Format::Protobuf => protobuf::write::push_labels(out, batch.subject_labels(subject)),
            Format::Text004 | Format::OpenMetrics1 => text::push_labels(out, batch.subject_labels(subject)),
        });
    }
    for desc in batch.families() {
        match (format, desc.kind) {
            (Format::Protobuf, _) => protobuf::write::family(page, scratch, batch, desc)?,
            (Format::Text004, Kind::Histogram) => text::histograms(page, scratch, batch, desc, Dialect::Text004)?,
            (Format::OpenMetrics1, Kind::Histogram) => {
                text::histograms(page, scratch, batch, desc, Dialect::OpenMetrics)?;
            }
            (Format::Text004, _) => text::plain(page, scratch, batch, desc)?,
            (Format::OpenMetrics1, _) => text::openmetrics(page, scratch, batch, desc)?,
        }
    }
    Ok(())
}
