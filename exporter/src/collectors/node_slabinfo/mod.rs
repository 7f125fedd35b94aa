//! The kernel's caches of objects, from `/proc/slabinfo` (`slabinfo(5)`), which only root may read:
//! ```text
//! slabinfo - version: 2.1
//! # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables …
//! dentry               119784 119784    192   21    1 : tunables    0    0    0 : slabdata   5704   5704      0
//! ```

use kernfs::{ReadError, text};
use metric::{Bytes, Count, Desc, Family, Label};

use super::node::{Filter, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const SLAB: &[Label; 1] = &[Label::open("slab", "caches of the kernel")];

static ACTIVE: Family<Count, 1> = gauge("node_slabinfo_active_objects", "Objects in use.", SLAB);
static OBJECTS: Family<Count, 1> = gauge("node_slabinfo_objects", "Objects that there is memory for.", SLAB);
static SIZE: Family<Bytes, 1> = gauge("node_slabinfo_object_size_bytes", "Size of an object.", SLAB);
static PER_SLAB: Family<Count, 1> = gauge("node_slabinfo_objects_per_slab", "Objects that a slab holds.", SLAB);
static PAGES: Family<Count, 1> = gauge("node_slabinfo_pages_per_slab", "Pages that a slab takes.", SLAB);
static ALL: &[&Desc] = &[ACTIVE.desc(), OBJECTS.desc(), SIZE.desc(), PER_SLAB.desc(), PAGES.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_slabinfo",
    about: "The kernel's caches of objects.",
    default_on: false,
    needs: &[Need::File("proc/slabinfo"), Need::Capability("CAP_DAC_READ_SEARCH")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeSlabinfo {
    filter: Filter,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.slabinfo;
    Ok(Box::new(NodeSlabinfo { filter: Filter::new(&options.slabs_include, &options.slabs_exclude, "") }))
}

impl Collector for NodeSlabinfo {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "slabinfo")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for line in text::lines(file).filter(|line| !line.starts_with(b"#")) {
            let mut words = text::words(line);
            let Some(name) = words.next().map(text::text).filter(|name| self.filter.passes(name)) else { continue };
            let mut next = || words.next().and_then(text::number);
            let (Some(active), Some(objects), Some(size)) = (next(), next(), next()) else { continue };
            let (Some(per_slab), Some(pages)) = (next(), next()) else { continue };
            out.put(&ACTIVE, [&name], active);
            out.put(&OBJECTS, [&name], objects);
            out.put(&SIZE, [&name], Bytes(size));
            out.put(&PER_SLAB, [&name], per_slab);
            out.put(&PAGES, [&name], pages);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };

    #[test]
    fn caches_of_all_sizes() {
        check(&SPEC, "node_slabinfo/testdata/vm-6-18", View::Node);
    }

    #[test]
    fn caches_may_be_left_out() {
        let mut config = Config::default();
        config.collector.slabinfo.slabs_include = "^(kmalloc|dentry)".parse().unwrap();
        config.collector.slabinfo.slabs_exclude = "rcl".parse().unwrap();
        check_with(&SPEC, "node_slabinfo/testdata/chosen", View::Node, config);
    }
}
