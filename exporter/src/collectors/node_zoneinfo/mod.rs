//! Zones of memory, from `/proc/zoneinfo` (`proc_zoneinfo(5)`):
//! ```text
//! Node 0, zone      DMA
//!   per-node stats
//!       nr_inactive_anon 95612
//!   pages free     2891
//!         min      92
//!         protection: (0, 2877, 7826, 7826, 7826)
//!       nr_free_pages 2891
//! ```
//! What is said of the whole node is in its first zone. What is not there has no series.

use kernfs::{ReadError, text};
use metric::{Batch, Count, Desc, Discovered, Family, Kind, Label};

use super::node::{NAMER, counter, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const ZONE: &[Label; 2] =
    &[Label::open("node", "NUMA nodes of the machine"), Label::open("zone", "a few words of the kernel")];

/// Words of the file and what they are called.
static NUMBERS: [(&str, Family<Count, 2>); 34] = [
    ("nr_free_pages", gauge("node_zoneinfo_nr_free_pages", "Free pages.", ZONE)),
    ("min", gauge("node_zoneinfo_min_pages", "Below so many free pages only the kernel gets any.", ZONE)),
    ("low", gauge("node_zoneinfo_low_pages", "Below so many free pages the kernel begins to reclaim.", ZONE)),
    ("high", gauge("node_zoneinfo_high_pages", "At so many free pages the kernel stops to reclaim.", ZONE)),
    ("scanned", gauge("node_zoneinfo_scanned_pages", "Pages looked at since the last reclaim.", ZONE)),
    ("spanned", gauge("node_zoneinfo_spanned_pages", "Pages of the zone with its holes.", ZONE)),
    ("present", gauge("node_zoneinfo_present_pages", "Pages of the zone that there are.", ZONE)),
    ("managed", gauge("node_zoneinfo_managed_pages", "Pages of the zone that are given out.", ZONE)),
    ("nr_active_anon", gauge("node_zoneinfo_nr_active_anon_pages", "Anonymous pages used of late.", ZONE)),
    ("nr_inactive_anon", gauge("node_zoneinfo_nr_inactive_anon_pages", "Anonymous pages not used of late.", ZONE)),
    (
        "nr_isolated_anon",
        gauge("node_zoneinfo_nr_isolated_anon_pages", "Anonymous pages taken from the lists for a while.", ZONE),
    ),
    ("nr_anon_pages", gauge("node_zoneinfo_nr_anon_pages", "Anonymous pages that are mapped.", ZONE)),
    (
        "nr_anon_transparent_hugepages",
        gauge("node_zoneinfo_nr_anon_transparent_hugepages", "Anonymous transparent huge pages.", ZONE),
    ),
    ("nr_active_file", gauge("node_zoneinfo_nr_active_file_pages", "Pages of files used of late.", ZONE)),
    ("nr_inactive_file", gauge("node_zoneinfo_nr_inactive_file_pages", "Pages of files not used of late.", ZONE)),
    (
        "nr_isolated_file",
        gauge("node_zoneinfo_nr_isolated_file_pages", "Pages of files taken from the lists for a while.", ZONE),
    ),
    ("nr_file_pages", gauge("node_zoneinfo_nr_file_pages", "Pages of files.", ZONE)),
    (
        "nr_slab_reclaimable",
        gauge("node_zoneinfo_nr_slab_reclaimable_pages", "Pages of the kernel's caches that can be reclaimed.", ZONE),
    ),
    (
        "nr_slab_unreclaimable",
        gauge(
            "node_zoneinfo_nr_slab_unreclaimable_pages",
            "Pages of the kernel's caches that cannot be reclaimed.",
            ZONE,
        ),
    ),
    ("nr_mlock_stack", gauge("node_zoneinfo_nr_mlock_stack_pages", "Locked pages that were found on the lists.", ZONE)),
    ("nr_kernel_stack", gauge("node_zoneinfo_nr_kernel_stacks", "Stacks of the kernel, in KiB.", ZONE)),
    ("nr_mapped", gauge("node_zoneinfo_nr_mapped_pages", "Pages of files that are mapped.", ZONE)),
    ("nr_dirty", gauge("node_zoneinfo_nr_dirty_pages", "Pages that are to be written.", ZONE)),
    ("nr_writeback", gauge("node_zoneinfo_nr_writeback_pages", "Pages that are being written.", ZONE)),
    ("nr_unevictable", gauge("node_zoneinfo_nr_unevictable_pages", "Pages that cannot be evicted.", ZONE)),
    ("nr_shmem", gauge("node_zoneinfo_nr_shmem_pages", "Pages of shared memory and tmpfs.", ZONE)),
    ("nr_dirtied", counter("node_zoneinfo_nr_dirtied_total", "Pages that became dirty.", ZONE)),
    ("nr_written", counter("node_zoneinfo_nr_written_total", "Pages that were written.", ZONE)),
    ("numa_hit", counter("node_zoneinfo_numa_hit_total", "Pages allocated where they were wanted.", ZONE)),
    ("numa_miss", counter("node_zoneinfo_numa_miss_total", "Pages allocated here that were wanted elsewhere.", ZONE)),
    ("numa_foreign", counter("node_zoneinfo_numa_foreign_total", "Pages wanted here and allocated elsewhere.", ZONE)),
    ("numa_interleave", counter("node_zoneinfo_numa_interleave_total", "Pages allocated here to spread them.", ZONE)),
    (
        "numa_local",
        counter("node_zoneinfo_numa_local_total", "Pages allocated here for a process that ran here.", ZONE),
    ),
    (
        "numa_other",
        counter("node_zoneinfo_numa_other_total", "Pages allocated here for a process that ran elsewhere.", ZONE),
    ),
];
/// One for each zone.
static PROTECTION: Discovered<Count, 2> = Discovered::new(NAMER, Kind::Gauge, ZONE, 20);

static ALL: [&Desc; 34] = descs();

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; 34] {
    let mut all = [NUMBERS[0].1.desc(); 34];
    let mut i = 0;
    while i < NUMBERS.len() {
        all[i] = NUMBERS[i].1.desc();
        i += 1;
    }
    all
}

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_zoneinfo",
    about: "Zones of memory.",
    default_on: false,
    needs: &[Need::File("proc/zoneinfo")],
    shows: &[(View::Node, &ALL)],
    build,
};

#[derive(Debug)]
struct NodeZoneinfo;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeZoneinfo))
}

impl Collector for NodeZoneinfo {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "zoneinfo")? else {
            scrape.nothing_there();
            return Ok(());
        };
        emit(file, out);
        Ok(())
    }
}

fn emit(file: &[u8], out: &mut Batch) {
    let (mut node, mut zone) = (String::new(), String::new());
    for line in text::lines(file) {
        let mut words = text::words(line);
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if first == b"Node" {
            node = text::text(second.strip_suffix(b",").unwrap_or(second)).into_owned();
            zone = words.nth(1).map_or_else(String::new, |zone| text::text(zone).into_owned());
        } else if first == b"protection:" {
            for (at, word) in std::iter::once(second).chain(words).enumerate() {
                let digits = word.strip_prefix(b"(").unwrap_or(word);
                let digits = digits.strip_suffix(b",").or_else(|| digits.strip_suffix(b")")).unwrap_or(digits);
                let family = PROTECTION.family(
                    &format!("node_zoneinfo_protection_{at}"),
                    &format!("Pages that are kept from requests that zone {at} could serve."),
                );
                if let (Some(family), Some(pages)) = (family, text::number(digits)) {
                    out.put(family, [&node, &zone], pages);
                }
            }
        } else if let Some((_, family)) = NUMBERS.iter().find(|(word, _)| word.as_bytes() == first)
            && let Some(number) = text::signed(second)
        {
            out.put(family, [&node, &zone], number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn zones_of_two_nodes() {
        check(&SPEC, "node_zoneinfo/testdata/two-nodes", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            emit(&[b"Node 0, zone DMA\nprotection: (", &bytes[..]].concat(), &mut Batch::default());
        }
    }
}
