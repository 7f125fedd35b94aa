//! The official client as oracle: where it can say a thing, our page says the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expo::{Exposition, Format, encode, parse, parse_lenient};
use metric::{Batch, Count, Exemplar, Extra, Family, Histogram, Label, Seconds};
use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter, exemplar::CounterWithExemplar, family::Family as ClientFamily, gauge::Gauge,
        histogram::Histogram as ClientHistogram, info::Info,
    },
    registry::{Registry, Unit},
};
use proptest::prelude::*;

static HITS: Family<Count, 1> = Family::counter("cache_hits_total", "Hits.", &[Label::open("cache", "caches")]);
static AGE: Family<Seconds, 1> = Family::gauge("cache_age_seconds", "Its age.", &[Label::open("cache", "caches")]);
static BUILD: Family<Count, 1> = Family::info("build_info", "What was built.", &[Label::open("version", "one")]);
static WAIT: Family<Seconds, 0> = Family::histogram("wait_seconds", "Waits.", &[]);
static SEEN: Family<Count, 0> = Family::counter("seen_total", "Seen.", &[]);
const BOUNDS: &[f64] = &[0.005, 0.5, 1.0, 10.0];

/// In an order of their own, the client's being that of a hash map.
fn sorted(mut page: Exposition) -> Exposition {
    for family in &mut page.families {
        family.samples.sort_by(|a, b| (&a.labels, a.value).partial_cmp(&(&b.labels, b.value)).unwrap());
    }
    page.families.sort_by(|a, b| a.name.cmp(&b.name));
    page
}

/// The page in both encodings, ours first.
fn pages(batch: &Batch, registry: &Registry) -> (Vec<u8>, String) {
    let (mut ours, mut theirs) = (Vec::new(), String::new());
    encode(&[batch], Format::OpenMetrics1, &mut ours).unwrap();
    text::encode(&mut theirs, registry).unwrap();
    (ours, theirs)
}

proptest! {
    #[test]
    fn both_write_the_same_openmetrics(
        hits in prop::collection::btree_map(any::<String>(), any::<u32>(), 1..6),
        age in -1e9_f64..1e9,
        observations in prop::collection::vec(0_u16..2_000, 0..20),
        exemplar in "[a-z\"\\\\\n]{0,20}",
        version in any::<String>(),
    ) {
        let (mut batch, mut registry) = (Batch::default(), Registry::default());
        let client_hits = ClientFamily::<Vec<(String, String)>, Counter>::default();
        for (cache, count) in &hits {
            batch.put(&HITS, [cache], *count);
            client_hits.get_or_create(&vec![("cache".into(), cache.clone())]).inc_by(u64::from(*count));
        }
        registry.register("cache_hits", "Hits", client_hits);

        let client_age = ClientFamily::<Vec<(String, String)>, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        client_age.get_or_create(&vec![("cache".into(), "main".into())]).set(age);
        batch.put(&AGE, ["main"], Seconds(age));
        registry.register_with_unit("cache_age", "Its age", Unit::Seconds, client_age);

        batch.put(&BUILD, [&version], 1_u8);
        registry.register("build", "What was built", Info::new(vec![("version".to_owned(), version.clone())]));

        let (client_wait, mut wait) = (ClientHistogram::new(BOUNDS.iter().copied()), Histogram::classic(BOUNDS));
        for observation in &observations {
            // Binary fractions, so that both sums are exact.
            client_wait.observe(f64::from(*observation) / 128.0);
            wait.observe(f64::from(*observation) / 128.0);
        }
        batch.put_histogram(&WAIT, None, [], wait);
        registry.register_with_unit("wait", "Waits", Unit::Seconds, client_wait);

        let seen = CounterWithExemplar::<Vec<(String, String)>>::default();
        let labels = vec![("id".to_owned(), exemplar)];
        seen.inc_by(3, Some(labels.clone()), None);
        registry.register("seen", "Seen", seen);
        let exemplar = Some(Exemplar { labels, value: 3.0, timestamp: None });
        batch.put_with::<_, 0, metric::Alone>(&SEEN, None, [], 3_u8, Extra { created: None, exemplar });

        let (ours, theirs) = pages(&batch, &registry);
        let read_ours = sorted(parse(&ours, Format::OpenMetrics1).unwrap());
        let read_theirs = sorted(parse_lenient(theirs.as_bytes(), Format::OpenMetrics1).unwrap());
        prop_assert_eq!(read_ours, read_theirs);
    }
}

#[test]
fn a_registry_can_be_appended_to_a_page_of_text() {
    let mut registry = Registry::default();
    let requests = Counter::<u64>::default();
    requests.inc_by(4);
    registry.register("http_requests", "Requests", requests);
    let mut text = String::new();
    text::encode(&mut text, &registry).unwrap();
    let own = parse(text.as_bytes(), Format::OpenMetrics1).unwrap();
    let mut page = Vec::new();
    expo::encode_exposition(&own, Format::Text004, &mut page).unwrap();
    let expected = "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\nhttp_requests_total 4\n";
    assert_eq!(String::from_utf8(page).unwrap(), expected);
}
