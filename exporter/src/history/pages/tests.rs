use std::collections::BTreeMap;

use metric::{Bytes, Extra, Family, Seconds};
use proptest::prelude::*;

use super::{super::endings::CPU, *};

static CPU_TIME: Family<Seconds, 1, AsCadvisor> =
    Family::as_named_by("test", Kind::Counter, CPU, "CPU time.", &[Label::open("cpu", "one")]);
static WRITTEN: Family<Bytes, 1, AsCadvisor> = Family::as_named_by(
    "test",
    Kind::Counter,
    "container_fs_writes_bytes_total",
    "Written.",
    &[Label::open("device", "devices")],
);
static MEMORY: Family<Bytes, 0, AsCadvisor> =
    Family::as_named_by("test", Kind::Gauge, "container_memory_usage_bytes", "Memory.", &[]);

/// What a cgroup has used.
#[derive(Clone, Debug, Default)]
struct Used {
    born: f64,
    cpu: f64,
    written: u64,
    /// Whether what it wrote is the host's.
    shared: bool,
}

impl Used {
    fn put(&self, of: Of<AsCadvisor>, batch: &mut Batch) {
        if self.cpu > 0.0 {
            batch.put_of(&CPU_TIME, of, ["total"], Seconds(self.cpu));
        }
        batch.put_of(&MEMORY, of, [], Bytes(4096));
        match (self.written, self.shared) {
            (0, _) => {}
            (written, false) => batch.put_of(&WRITTEN, of, ["vda"], Bytes(written)),
            (written, true) => {
                let extra = Extra { created: Some(0.5), exemplar: None };
                batch.put_with(&WRITTEN, Some(of), ["vda"], Bytes(written), extra);
            }
        }
    }
}

fn subject(path: &str, batch: &mut Batch) -> Of<AsCadvisor> {
    batch.subject::<AsCadvisor, 6>(["app", path, "", "", "shop", "web"])
}

/// A machine.
#[derive(Default)]
struct World {
    history: History,
    there: BTreeMap<String, Used>,
    now: f64,
}

type Page = BTreeMap<String, f64>;

impl World {
    fn at(&mut self, now: f64) -> &mut Self {
        self.now = now;
        self
    }

    fn born(&mut self, path: &str, cpu: f64) {
        self.history.made(path);
        self.there.insert(path.to_owned(), Used { born: self.now, cpu, ..Used::default() });
    }

    fn uses(&mut self, path: &str, cpu: f64) {
        self.there.get_mut(path).unwrap().cpu += cpu;
    }

    /// Its last process ends, and it is read.
    fn read(&self, path: &str) {
        let used = &self.there[path];
        let mut batch = Batch::default();
        let of = subject(path, &mut batch);
        used.put(of, &mut batch);
        let labels = labels_of(&batch, of.index());
        self.history.read(Portrait::shown(labels, used.born), &mut batch, self.now);
    }

    fn gone(&mut self, path: &str) {
        self.there.remove(path);
        self.history.gone(path, self.now);
    }

    /// A page, and whether it arrives.
    fn page_of(&self, scraper: &str, arrives: bool, has: &dyn Fn(&Desc) -> bool, books: Option<f64>) -> Page {
        let mut batch = Batch::default();
        let mut living = Vec::new();
        for (path, used) in &self.there {
            let of = subject(path, &mut batch);
            living.push((path.as_str(), used.born, of));
            used.put(of, &mut batch);
        }
        let asked = Asked {
            scraper,
            now: self.now,
            living: &living,
            shows: &|portrait| !portrait.labels.id.starts_with("/hidden"),
            has,
            whole_cpu: &|_| books,
        };
        let ticket = self.history.page(&asked, &mut batch);
        let mut page = Page::new();
        for desc in batch.families() {
            for sample in batch.samples(desc) {
                let path = sample.labels().all().find(|(name, _)| *name == "id").unwrap().1.to_owned();
                assert!(page.insert(format!("{path} {}", desc.name), sample.number()).is_none(), "twice: {path}");
            }
        }
        if arrives {
            self.history.delivered(&ticket);
        }
        self.history.keep(ticket, batch);
        page
    }

    fn page(&self, scraper: &str) -> Page {
        self.page_of(scraper, true, &|_| true, None)
    }

    fn cpu(&self, scraper: &str, path: &str) -> Option<f64> {
        self.page(scraper).get(&format!("{path} {CPU}")).copied()
    }
}

#[test]
fn collectors_with_counters_of_cgroups_are_read_at_the_end() {
    let names: Vec<&str> = crate::slices::all().filter(|spec| reads(spec)).map(|spec| spec.name).collect();
    for name in ["container_cpu", "container_memory", "container_network", "container_io", "container_pressure"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"machine"), "{names:?}");
}

#[test]
fn each_scraper_sees_what_was_made_since_its_last_page_with_zeros_first() {
    let mut world = World::default();
    world.at(10.0).born("/old", 7.0);
    assert_eq!((world.at(20.0).cpu("fast", "/old"), world.cpu("slow", "/old")), (Some(7.0), Some(7.0)));
    world.at(21.0).born("/new", 0.5);
    assert_eq!(world.at(25.0).cpu("fast", "/new"), Some(0.0));
    world.uses("/new", 0.5);
    assert_eq!(world.at(30.0).cpu("fast", "/new"), Some(1.0));
    assert_eq!(world.at(40.0).cpu("slow", "/new"), Some(0.0));
    assert_eq!(world.at(80.0).cpu("slow", "/new"), Some(1.0));
    assert_eq!(world.cpu("slow", "/old"), Some(7.0));
    assert_eq!(world.page("fast").get("/new container_memory_usage_bytes"), Some(&4096.0), "no gauge is zero");
}

#[test]
fn counters_of_what_came_and_went_stay_for_twenty_pages_of_each_scraper_and_gauges_go() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.page("b");
    world.at(1.0).born("/job", 0.3);
    world.read("/job");
    world.at(2.0).gone("/job");
    let a: Vec<_> = (1..=22).map(|n| world.at(f64::from(n) * 15.0).cpu("a", "/job")).collect();
    let expected: Vec<_> = [Some(0.0)].into_iter().chain([Some(0.3); 20]).chain([None]).collect();
    assert_eq!(a, expected);
    // The other one has not come meanwhile, and then it has gone.
    assert_eq!(world.at(400.0).cpu("b", "/job"), None);
    assert_eq!(world.history.figures(), Figures { kept: 0, cut: 0 });

    world.at(401.0).born("/job2", 0.3);
    world.read("/job2");
    world.gone("/job2");
    let page = world.at(402.0).page("a");
    assert!(page.contains_key(&format!("/job2 {CPU}")) && !page.keys().any(|name| name.contains("memory")), "{page:?}");
    // Two samples of the last value by one, none by the other that comes less often.
    world.at(403.0).page("a");
    assert_eq!(world.at(500.0).cpu("b", "/job2"), Some(0.0));
    assert_eq!(world.at(600.0).cpu("b", "/job2"), Some(0.3));
}

#[test]
fn a_scraper_that_is_new_or_comes_back_after_long_sees_no_burst() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.at(10.0).born("/long", 100.0);
    world.at(11.0).born("/job", 5.0);
    world.read("/job");
    world.gone("/job");
    // As it is, for what happened meanwhile did not happen now; and nothing of what it has never seen.
    let page = world.at(3600.0).page("a");
    assert_eq!(page.get(&format!("/long {CPU}")), Some(&100.0));
    assert!(!page.keys().any(|name| name.contains("/job")), "{page:?}");
    assert_eq!(world.at(3610.0).cpu("b", "/long"), Some(100.0));
    // From here on it adds up again.
    world.at(3611.0).born("/next", 2.0);
    assert_eq!(world.at(3612.0).cpu("a", "/next"), Some(0.0));

    // So does an agent that is started again: it knows nobody.
    let again = World { there: world.there.clone(), now: 3620.0, ..World::default() };
    assert_eq!((again.cpu("a", "/long"), again.cpu("a", "/next")), (Some(100.0), Some(2.0)));
}

#[test]
fn what_did_not_arrive_is_shown_again() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.at(1.0).born("/c", 1.0);
    for now in [5.0, 10.0] {
        let page = world.at(now).page_of("a", false, &|_| true, None);
        assert_eq!(page.get(&format!("/c {CPU}")), Some(&0.0));
    }
    assert_eq!(world.at(15.0).cpu("a", "/c"), Some(0.0));
    assert_eq!(world.at(20.0).cpu("a", "/c"), Some(1.0));
}

#[test]
fn the_last_page_counts_where_nothing_later_was_read() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.born("/c", 1.0);
    world.read("/c");
    world.at(1.0).page("a");
    world.uses("/c", 4.0);
    assert_eq!(world.at(2.0).cpu("a", "/c"), Some(5.0));
    // Removed before it could be read: what was read is older than the page.
    world.at(3.0).gone("/c");
    assert_eq!(world.at(4.0).cpu("a", "/c"), Some(5.0), "no counter falls");
    // Where nothing tells of births and deaths, a container that was on one page only has what that page would have said.
    world.at(5.0).born("/d", 2.0);
    assert_eq!(world.at(6.0).cpu("a", "/d"), Some(0.0));
    world.there.remove("/d");
    assert_eq!(world.at(7.0).cpu("a", "/d"), Some(2.0));
}

#[test]
fn a_series_that_comes_later_begins_with_zero_too() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.at(1.0).born("/c", 1.0);
    let written = |world: &World| world.page("a").get("/c container_fs_writes_bytes_total").copied();
    assert_eq!(written(world.at(2.0)), None);
    world.there.get_mut("/c").unwrap().written = 512;
    assert_eq!(written(world.at(3.0)), Some(0.0));
    assert_eq!(written(world.at(4.0)), Some(512.0));
    // One that is first read when the container ends.
    world.at(5.0).born("/e", 1.0);
    world.at(6.0).page("a");
    world.there.get_mut("/e").unwrap().written = 7;
    world.read("/e");
    world.gone("/e");
    let of_e = |world: &World| world.page("a").get("/e container_fs_writes_bytes_total").copied();
    assert_eq!([of_e(world.at(8.0)), of_e(world.at(9.0))], [Some(0.0), Some(7.0)]);
}

#[test]
fn what_the_host_counts_is_nobodys_beginning_and_nobodys_end() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.at(1.0).born("/c", 1.0);
    let used = world.there.get_mut("/c").unwrap();
    (used.written, used.shared) = (1 << 40, true);
    let page = world.at(2.0).page("a");
    assert_eq!(page.get("/c container_fs_writes_bytes_total"), Some(&1_099_511_627_776.0));
    world.read("/c");
    world.gone("/c");
    let page = world.at(3.0).page("a");
    assert_eq!(page.into_iter().collect::<Vec<_>>(), [(format!("/c {CPU}"), 1.0)]);
}

#[test]
fn the_books_and_the_asked_families_count() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.at(1.0).born("/c", 1.0);
    world.page("a");
    world.read("/c");
    world.gone("/c");
    let page = world.at(2.0).page_of("a", true, &|_| true, Some(1.25));
    assert_eq!(page.get(&format!("/c {CPU}")), Some(&1.25));
    let page = world.at(3.0).page_of("a", true, &|desc| desc.name != CPU, Some(1.25));
    assert!(page.is_empty(), "{page:?}");
    // The books learn of the last moments later than the first page.
    let page = world.at(60.0).page_of("a", true, &|_| true, Some(1.5));
    assert_eq!(page.get(&format!("/c {CPU}")), Some(&1.5));
    assert_eq!(world.at(61.0).cpu("a", "/c"), Some(1.5), "when they have closed its account");
}

#[test]
fn one_at_the_place_of_another_ends_it() {
    let mut world = World::default();
    world.at(0.0).page("a");
    world.at(1.0).born("/system.slice/a.service", 5.0);
    world.at(2.0).page("a");
    world.at(3.0).page("a");
    world.read("/system.slice/a.service");
    world.at(4.0).gone("/system.slice/a.service");
    assert_eq!(world.at(5.0).cpu("a", "/system.slice/a.service"), Some(5.0));
    world.at(6.0).born("/system.slice/a.service", 1.0);
    // It falls as a counter that starts again does, and increase() takes it for that.
    assert_eq!(world.at(7.0).cpu("a", "/system.slice/a.service"), Some(1.0));
    assert_eq!(world.at(8.0).cpu("a", "/system.slice/a.service"), Some(1.0));
}

#[test]
fn what_is_too_much_is_cut_and_counted_and_what_nobody_would_see_is_not_kept() {
    let mut world = World::default();
    world.at(0.0).page("a");
    for number in 0..ENDINGS_MOST + 3 {
        let path = format!("/job{number}");
        world.at(1.0).born(&path, 1.0);
        world.read(&path);
        world.gone(&path);
    }
    world.born("/hidden", 1.0);
    world.read("/hidden");
    world.gone("/hidden");
    assert_eq!(world.history.figures(), Figures { kept: ENDINGS_MOST, cut: 4 });
    let page = world.at(2.0).page("a");
    assert_eq!((page.len(), world.history.figures().kept), (ENDINGS_MOST - 1, ENDINGS_MOST - 1));
    assert!(world.history.is_followed(301.0) && !world.history.is_followed(302.0));
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Born(u8),
    Uses(u8, u8),
    /// Whether its end is read, and whether anybody tells of it.
    Ends(u8, bool, bool),
    /// By one of two scrapers; whether it arrives.
    Page(bool, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..20_u8).prop_map(Step::Born),
        3 => (0..20_u8, 1..9_u8).prop_map(|(who, cpu)| Step::Uses(who, cpu)),
        2 => (0..20_u8, any::<bool>(), any::<bool>()).prop_map(|(who, read, told)| Step::Ends(who, read, told)),
        3 => (any::<bool>(), prop::bool::weighted(0.9)).prop_map(|(who, arrives)| Step::Page(who, arrives)),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn no_counter_falls_and_all_adds_up(steps in steps()) {
        let mut world = World::default();
        world.page("a");
        world.page("b");
        let mut incarnation = 0;
        let mut names: BTreeMap<u8, String> = BTreeMap::new();
        let mut truth = BTreeMap::new();
        let mut seen: [BTreeMap<String, Vec<f64>>; 2] = Default::default();
        let all_end: Vec<Step> = (0..20).map(|who| Step::Ends(who, true, true)).collect();
        let pages = (0..44).map(|at| Step::Page(at % 2 == 0, true));
        for step in steps.into_iter().chain(all_end).chain(pages) {
            world.now += 1.0;
            match step {
                Step::Born(who) if !names.contains_key(&who) => {
                    incarnation += 1;
                    let path = format!("/c{who}-{incarnation}");
                    world.born(&path, 1.0);
                    names.insert(who, path);
                }
                Step::Uses(who, cpu) => {
                    if let Some(path) = names.get(&who) {
                        world.uses(path, f64::from(cpu));
                    }
                }
                Step::Ends(who, read, told) => {
                    let Some(path) = names.remove(&who) else { continue };
                    if read {
                        world.read(&path);
                        truth.insert(path.clone(), world.there[&path].cpu);
                    }
                    if told {
                        world.gone(&path);
                    } else {
                        world.there.remove(&path);
                    }
                }
                Step::Page(who, arrives) => {
                    let page = world.page_of(if who { "a" } else { "b" }, arrives, &|_| true, None);
                    for (name, number) in page.into_iter().filter(|(name, _)| name.ends_with(CPU) && arrives) {
                        seen[usize::from(who)].entry(name).or_default().push(number);
                    }
                }
                Step::Born(_) => {}
            }
        }
        for seen in seen {
            for (name, samples) in &seen {
                prop_assert!(samples.is_sorted(), "{} falls: {:?}", name, samples);
            }
            for (path, cpu) in &truth {
                let samples = &seen[&format!("{path} {CPU}")];
                prop_assert_eq!(samples.last().unwrap() - samples[0], *cpu, "{} {:?}", path, samples);
            }
        }
    }
}
