//! `/metrics`: the series of all objects.

use std::{
    collections::HashSet,
    io::{self, Write},
    sync::Arc,
};

use daemon::{Page, ScrapeRequest, Written};
use expo::{Encoding, Gzip};

use crate::{
    app::App,
    select::Asked,
    store::{Format, Snapshot},
};

/// See the module.
#[derive(Debug)]
pub struct ObjectsPage {
    app: Arc<App>,
}

impl ObjectsPage {
    /// The page of an app's objects.
    pub fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    fn put(&self, request: &ScrapeRequest, out: &mut impl Sink) -> io::Result<Written> {
        let mut asked = Asked::default();
        for (name, value) in &request.query {
            asked.add(name, value);
        }
        // All snapshots are taken before the first is written: what belongs together is of one moment.
        let board = self.app.board();
        let wanted = board.iter().filter(|shown| asked.has(&shown.kind));
        let kinds: Vec<Vec<Snapshot>> =
            wanted.map(|shown| shown.readers.iter().map(crate::store::Reader::snapshot).collect()).collect();
        let format = match request.format {
            expo::Format::OpenMetrics1 => Format::OpenMetrics,
            expo::Format::Text004 | expo::Format::Protobuf => Format::Text,
        };
        let (mut seen, mut written) = (HashSet::new(), Written::default());
        for snapshots in kinds {
            out.put(format, &snapshots, |name| seen.insert(name.to_owned()))?;
            written.series += snapshots.iter().map(|snapshot| snapshot.usage().series as u64).sum::<u64>();
        }
        if let Some(workloads) = self.app.workloads().filter(|_| asked.has("workloads")) {
            let mut text = Vec::new();
            written.series += workloads.write(&mut text);
            out.write_all(&text)?;
        }
        out.write_all(format.end())?;
        Ok(written)
    }
}

/// What a page is written to.
trait Sink: Write {
    /// Writes the series of a kind.
    fn put(&mut self, format: Format, kind: &[Snapshot], is_first: impl FnMut(&str) -> bool) -> io::Result<()>;
}

impl Sink for &mut dyn Write {
    fn put(&mut self, format: Format, kind: &[Snapshot], is_first: impl FnMut(&str) -> bool) -> io::Result<()> {
        Snapshot::write_together_as(format, kind, self, is_first)
    }
}

impl<W: Write> Sink for Gzip<W> {
    fn put(&mut self, format: Format, kind: &[Snapshot], is_first: impl FnMut(&str) -> bool) -> io::Result<()> {
        Snapshot::write_gzip(format, kind, self, is_first)
    }
}

impl Page for ObjectsPage {
    fn write(&self, request: &ScrapeRequest, mut out: &mut dyn Write) -> io::Result<Written> {
        let begin = std::time::Instant::now();
        let written = if request.encoding == Encoding::Gzip {
            let mut gzip = Gzip::new(out);
            self.put(request, &mut gzip).and_then(|written| gzip.finish().map(|_| written))
        } else {
            self.put(request, &mut out)
        };
        self.app.own().scraped(begin.elapsed());
        written
    }

    /// Text or OpenMetrics. There is nothing in these series that protobuf says better, and it costs more.
    fn format(&self, accept: Option<&str>) -> expo::Format {
        let ranges = accept.unwrap_or("").split(',').filter(|range| !range.contains("protobuf"));
        expo::negotiate(Some(&ranges.collect::<Vec<_>>().join(",")))
    }

    fn encoding(&self, asked: Encoding) -> Encoding {
        if self.app.compresses() { asked } else { Encoding::Identity }
    }

    fn writes_gzip(&self) -> bool {
        true
    }
}
