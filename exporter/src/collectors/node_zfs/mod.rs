//! ZFS, from `/proc/spl/kstat/zfs`, where `OpenZFS` shows its statistics as named numbers (`kstat(3KSTAT)` of Solaris):
//! ```text
//! 9 1 0x01 147 39984 4112380651 1052389812345
//! name                            type data
//! hits                            4    918273645
//! memory_available_bytes          3    -1024
//! dataset_name                    7    tank/home of all
//! ```
//! Type 3 is a signed number, 4 an unsigned one, 7 text. One file is for the whole machine (`arcstats`), others are for
//! a pool (`tank/state`, and `tank/io` of older modules) or a data set (`tank/objset-0x36`).
//!
//! Each name is a family, so what is shown depends on the version of the module.

mod metrics;

use kernfs::{Dir, ReadError, Reader, text};
use metric::Batch;

use self::metrics::{ALL, OF_DATASET, OF_MACHINE, OF_POOL, STATE, STATES};
use super::node::{entries, malformed, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_zfs",
    about: "ZFS: caches, pools and data sets.",
    default_on: true,
    needs: &[Need::File("proc/spl/kstat/zfs")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "spl/kstat/zfs";

/// Files of the whole machine, and how their families are called.
const FILES: &[(&str, &str)] = &[
    ("abdstats", "abd"),
    ("arcstats", "arc"),
    ("dbufstats", "dbuf"),
    ("dmu_tx", "dmu_tx"),
    ("dnodestats", "dnode"),
    ("fm", "fm"),
    ("vdev_cache_stats", "vdev_cache"),
    ("vdev_mirror_stats", "vdev_mirror"),
    ("xuio_stats", "xuio"),
    ("zfetchstats", "zfetch"),
    ("zil", "zil"),
];

#[derive(Debug)]
struct NodeZfs;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeZfs))
}

impl Collector for NodeZfs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        if !reader.exists(&host.proc, FOLDER) {
            scrape.nothing_there();
            return Ok(());
        }
        for (file, called) in FILES {
            let path = format!("{FOLDER}/{file}");
            let Some(bytes) = or_problem(reader.read(&host.proc, &path), problems) else { continue };
            let Some(table) = table(bytes) else {
                problems.push(malformed(&host.proc, &path, "no line of column names"));
                continue;
            };
            for (name, value) in table.numbers {
                let name = format!("node_zfs_{called}_{}", name.replace('-', "_"));
                if let Some(family) = OF_MACHINE.family(&name, &format!("A statistic of {file} of ZFS.")) {
                    out.put(family, [], value);
                }
            }
        }
        let mut pools = Vec::new();
        reader.list(&host.proc, FOLDER, |name, is_dir| pools.extend(is_dir.then(|| name.to_owned())))?;
        pools.sort_unstable();
        for pool in pools {
            if let Err(problem) = of_pool(&host.proc, reader, &pool, out, problems) {
                problems.push(problem);
            }
        }
        Ok(())
    }
}

/// What a pool says. One that is exported meanwhile loses its files, and its rows.
fn of_pool(
    proc: &Dir,
    reader: &mut Reader,
    pool: &str,
    out: &mut Batch,
    problems: &mut Vec<ReadError>,
) -> Result<(), ReadError> {
    let folder = format!("{FOLDER}/{pool}");
    if let Some(state) = reader.read(proc, &format!("{folder}/state"))? {
        let state = state.trim_ascii().to_ascii_lowercase();
        for known in STATES {
            out.put(&STATE, [pool, known], u64::from(known.as_bytes() == state));
        }
    }
    if let Some(io) = reader.read(proc, &format!("{folder}/io"))? {
        for (name, value) in columns(io) {
            if let Some(family) = OF_POOL.family(&format!("node_zfs_zpool_{name}"), "A statistic of a pool's I/O.") {
                out.put(family, [pool], value);
            }
        }
    }
    for file in entries(reader, proc, &folder)?.iter().filter(|name| name.starts_with("objset-")) {
        let path = format!("{folder}/{file}");
        let Some(bytes) = or_problem(reader.read(proc, &path), problems) else { continue };
        let Some(table) = table(bytes) else {
            problems.push(malformed(proc, &path, "no line of column names"));
            continue;
        };
        for (name, value) in table.numbers {
            let name = format!("node_zfs_zpool_dataset_{name}");
            if let Some(family) = OF_DATASET.family(&name, "A statistic of a data set.") {
                out.put(family, [pool, &table.dataset], value);
            }
        }
    }
    Ok(())
}

/// The named numbers of a file, and what it says the data set is called.
#[derive(Debug, Default, PartialEq)]
struct Table {
    dataset: String,
    numbers: Vec<(String, f64)>,
}

/// `None` when there is no line `name type data`. Text, and types of other widths, which no file has, are left out.
#[expect(clippy::cast_precision_loss, reason = "samples are floating point")]
fn table(file: &[u8]) -> Option<Table> {
    let mut lines = text::lines(file);
    lines.find(|line| text::words(line).eq([&b"name"[..], b"type", b"data"]))?;
    let mut table = Table::default();
    for line in lines {
        let mut words = text::words(line);
        let (Some(name), Some(kind), Some(data)) = (words.next(), words.next(), words.next()) else { continue };
        let value = match kind {
            b"3" => text::signed(data).map(|value| value as f64),
            b"4" => text::number(data).map(|value| value as f64),
            _ if name == b"dataset_name" => {
                table.dataset = after_two_words(line);
                None
            }
            _ => None,
        };
        table.numbers.extend(value.map(|value| (text::text(name).into_owned(), value)));
    }
    Some(table)
}

/// All that follows the first two words: names of data sets may hold spaces.
fn after_two_words(line: &[u8]) -> String {
    let mut rest = line.trim_ascii();
    for _ in 0..2 {
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
    }
    text::text(rest).into_owned()
}

/// The numbers of a line, by the names in the line above; the first line is about the file itself.
#[expect(clippy::cast_precision_loss, reason = "samples are floating point")]
fn columns(file: &[u8]) -> Vec<(String, f64)> {
    let mut lines = text::lines(file).skip(1);
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return Vec::new() };
    let pairs = text::words(names).zip(text::words(values));
    pairs.filter_map(|(name, value)| Some((text::text(name).into_owned(), text::number(value)? as f64))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn caches_pools_and_data_sets_are_shown() {
        check(&SPEC, "node_zfs/testdata/openzfs", View::Node);
    }

    #[test]
    fn a_name_may_hold_spaces_and_text_is_no_number() {
        let file = b"9 1 0x01\nname type data\ndataset_name  7  tank/home  of all\nreads 4 7\nfree 3 -5\nx 4 many\n";
        let table = table(file).unwrap();
        assert_eq!(table.dataset, "tank/home  of all");
        assert_eq!(table.numbers, [("reads".to_owned(), 7.0), ("free".to_owned(), -5.0)]);
        assert_eq!(super::table(b"reads 4 7\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(file in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (table(&file), table(&[b"name type data\n", &file[..]].concat()), columns(&file));
        }
    }
}
