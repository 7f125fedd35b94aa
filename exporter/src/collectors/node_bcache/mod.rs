//! bcache: fast devices that cache slow ones, from `/sys/fs/bcache/<uuid>` (admin-guide/bcache.rst). Below the set's
//! folder there is one for each slow device (`bdev0`) and one for each fast one (`cache0`).
//!
//! Sizes are written for people (`1.5k`), see [`parse`]. What is not there shows 0.

mod metrics;
mod parse;

use kernfs::{Dir, ReadError, Reader};
use metric::Batch;

use self::metrics::{
    ALL, BTREE_READ_TIME, CHANGE, DIRTY, IO_ERRORS, METADATA, OF_SET, OF_TRAFFIC, PRIORITY_METADATA, PRIORITY_UNUSED,
    RATE, RATE_INTEGRAL, RATE_PROPORTIONAL, READAHEADS, TARGET, WRITTEN,
};
use super::node::{attribute, entries};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_bcache",
    about: "bcache: fast devices that cache slow ones.",
    default_on: true,
    needs: &[Need::File("sys/fs/bcache")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "fs/bcache";

#[derive(Debug)]
struct NodeBcache {
    priority_stats: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeBcache { priority_stats: context.config.collector.bcache.priority_stats }))
}

impl Collector for NodeBcache {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        // Beside the sets there are files: `register`.
        for set in entries(reader, &host.sys, FOLDER)?.iter().filter(|name| name.contains('-')) {
            let path = format!("{FOLDER}/{set}");
            for (file, family) in &OF_SET {
                out.put(family, [set], size(reader, &host.sys, &format!("{path}/{file}")));
            }
            // The file's name says microseconds; node_exporter takes its number for nanoseconds.
            let time = size(reader, &host.sys, &format!("{path}/internal/btree_read_average_duration_us"));
            out.put(&BTREE_READ_TIME, [set], time * 1e-9);
            for part in entries(reader, &host.sys, &path)? {
                let has_number = |prefix| {
                    part.strip_prefix(prefix).is_some_and(|rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()))
                };
                let below = format!("{path}/{part}");
                if has_number("bdev") {
                    of_backing(&host.sys, reader, &below, [set, &part], out)?;
                } else if has_number("cache") {
                    self.of_cache(&host.sys, reader, &below, [set, &part], out)?;
                }
            }
        }
        Ok(())
    }
}

/// A device that is cached.
fn of_backing(sys: &Dir, reader: &mut Reader, path: &str, labels: [&str; 2], out: &mut Batch) -> Result<(), ReadError> {
    out.put(&DIRTY, labels, size(reader, sys, &format!("{path}/dirty_data")));
    let file = reader.read(sys, &format!("{path}/writeback_rate_debug"))?.unwrap_or_default();
    let named = |name| parse::debug(file, name).unwrap_or(0.0);
    for (name, family) in [
        ("target:", &TARGET),
        ("rate:", &RATE),
        ("proportional:", &RATE_PROPORTIONAL),
        ("integral:", &RATE_INTEGRAL),
        ("change:", &CHANGE),
    ] {
        out.put(family, labels, named(name));
    }
    for (file, family) in &OF_TRAFFIC {
        out.put(family, labels, size(reader, sys, &format!("{path}/stats_total/{file}")));
    }
    // Kernels since 5.16 do not count it any more.
    let readaheads = size(reader, sys, &format!("{path}/stats_total/cache_readaheads"));
    if readaheads > 0.0 {
        out.put(&READAHEADS, labels, readaheads);
    }
    Ok(())
}

impl NodeBcache {
    /// A device that caches.
    fn of_cache(
        &self,
        sys: &Dir,
        reader: &mut Reader,
        path: &str,
        labels: [&str; 2],
        out: &mut Batch,
    ) -> Result<(), ReadError> {
        for (file, family) in [("io_errors", &IO_ERRORS), ("metadata_written", &METADATA), ("written", &WRITTEN)] {
            out.put(family, labels, size(reader, sys, &format!("{path}/{file}")));
        }
        if self.priority_stats {
            let file = reader.read(sys, &format!("{path}/priority_stats"))?.unwrap_or_default();
            for (name, family) in [("Unused:", &PRIORITY_UNUSED), ("Metadata:", &PRIORITY_METADATA)] {
                out.put(family, labels, parse::percent(file, name).unwrap_or(0));
            }
        }
        Ok(())
    }
}

fn size(reader: &mut Reader, sys: &Dir, file: &str) -> f64 {
    attribute(reader, sys, file).and_then(parse::size).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };

    #[test]
    fn a_set_with_its_devices() {
        check(&SPEC, "node_bcache/testdata/one-set", View::Node);
    }

    #[test]
    fn how_the_cache_is_used_is_shown_when_asked_for() {
        let mut config = Config::default();
        config.collector.bcache.priority_stats = true;
        check_with(&SPEC, "node_bcache/testdata/priority", View::Node, config);
    }
}
