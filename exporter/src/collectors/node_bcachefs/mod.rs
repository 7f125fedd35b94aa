//! bcachefs file systems, from `/sys/fs/bcachefs/<uuid>` (filesystems/bcachefs in the kernel's documentation, and
//! `fs/bcachefs/sysfs.c`). Its folder has counters, one a file, and one folder for each device (`dev-0`).

mod metrics;
mod parse;

use kernfs::{Dir, ReadError, Reader, text};
use metric::{Batch, Bytes};

use self::metrics::{
    ALL, BTREE_CACHE, BTREE_WRITE_SIZE, BTREE_WRITES, BUCKET_SIZE, BUCKETS, COMPRESSED, COUNTERS, DEVICE_INFO,
    DURABILITY, ERRORS, INFO, IO_DONE, IO_ERRORS, UNCOMPRESSED,
};
use super::node::{attribute, attribute_number, attribute_text, entries, folder, metric_name};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_bcachefs",
    about: "bcachefs file systems and their devices.",
    default_on: true,
    needs: &[Need::File("sys/fs/bcachefs")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "fs/bcachefs";

#[derive(Debug)]
struct NodeBcachefs;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeBcachefs))
}

impl Collector for NodeBcachefs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let systems = folder(reader, &host.sys, FOLDER)?.unwrap_or_default();
        if systems.is_empty() {
            scrape.nothing_there();
            return Ok(());
        }
        for uuid in &systems {
            of_system(&host.sys, reader, uuid, out)?;
        }
        Ok(())
    }
}

fn of_system(sys: &Dir, reader: &mut Reader, uuid: &str, out: &mut Batch) -> Result<(), ReadError> {
    let path = |file: &str| format!("{FOLDER}/{uuid}/{file}");
    out.put(&INFO, [uuid], true);
    let cache = attribute(reader, sys, &path("btree_cache_size")).and_then(parse::size).unwrap_or(0);
    out.put(&BTREE_CACHE, [uuid], Bytes(cache));
    // Both tables have a line of titles.
    if let Some(file) = reader.read(sys, &path("compression_stats"))? {
        for (algorithm, [compressed, uncompressed]) in parse::table(file) {
            out.put(&COMPRESSED, [uuid, &algorithm], Bytes(compressed));
            out.put(&UNCOMPRESSED, [uuid, &algorithm], Bytes(uncompressed));
        }
    }
    if let Some(file) = reader.read(sys, &path("btree_write_stats"))? {
        for (kind, [count, size]) in parse::table(file) {
            out.put(&BTREE_WRITES, [uuid, &kind], count);
            out.put(&BTREE_WRITE_SIZE, [uuid, &kind], Bytes(size));
        }
    }
    if let Some(file) = reader.read(sys, &path("errors"))? {
        for (error, count) in text::pairs(file) {
            out.put(&ERRORS, [uuid, &text::text(error)], count);
        }
    }
    for file in entries(reader, sys, &path("counters"))? {
        let Some(counter) = reader.read(sys, &path(&format!("counters/{file}")))? else { continue };
        let Some(count) = parse::since_creation(counter) else { continue };
        let name = format!("node_bcachefs_{}_total", metric_name(&file));
        if let Some(family) =
            COUNTERS.family(&name, &format!("The counter {file} of bcachefs, since the file system was made."))
        {
            out.put(family, [uuid], count);
        }
    }
    for entry in entries(reader, sys, &path(""))? {
        if let Some(device) = entry.strip_prefix("dev-") {
            of_device(sys, reader, &path(&entry), [uuid, device], out)?;
        }
    }
    Ok(())
}

fn of_device(
    sys: &Dir,
    reader: &mut Reader,
    path: &str,
    [uuid, device]: [&str; 2],
    out: &mut Batch,
) -> Result<(), ReadError> {
    let [label, state] = ["label", "state"].map(|file| attribute_text(reader, sys, &format!("{path}/{file}")));
    out.put(&DEVICE_INFO, [uuid, device, &label, &state], true);
    let bucket = attribute(reader, sys, &format!("{path}/bucket_size")).and_then(parse::size).unwrap_or(0);
    out.put(&BUCKET_SIZE, [uuid, device], Bytes(bucket));
    for (file, family) in [("nbuckets", &BUCKETS), ("durability", &DURABILITY)] {
        out.put(family, [uuid, device], attribute_number(reader, sys, &format!("{path}/{file}")).unwrap_or(0));
    }
    if let Some(file) = reader.read(sys, &format!("{path}/io_done"))? {
        for (operation, kind, bytes) in parse::io_done(file) {
            out.put(&IO_DONE, [uuid, device, operation, &kind], Bytes(bytes));
        }
    }
    if let Some(file) = reader.read(sys, &format!("{path}/io_errors"))? {
        for (error, count) in parse::io_errors(file) {
            out.put(&IO_ERRORS, [uuid, device, &error], count);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_file_system_with_its_devices() {
        check(&SPEC, "node_bcachefs/testdata/two-devices", View::Node);
    }
}
