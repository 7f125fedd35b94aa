//! What is written reads back as what was meant, whatever stands in labels.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expo::{
    Exposition, Format, NativeHistogram, ParsedFamily, ParsedKind, ParsedSample, encode, encode_exposition, parse,
};
use metric::{Alone, Batch, Bytes, Count, Exemplar, Extra, Family, Histogram, Kind, Label, Seconds, Subject, UnitName};
use proptest::prelude::*;

struct Thing;

impl Subject for Thing {
    const LABELS: &'static [Label] = &[Label::open("a", "things"), Label::open("b", "things")];
}

static GAUGE: Family<Seconds, 1, Thing> =
    Family::gauge("thing_age_seconds", "Its \\ \"age\"\nin seconds.", &[Label::open("c", "things")]);
static COUNTER: Family<Count, 1> = Family::counter("thing_events_total", "Events.", &[Label::open("c", "things")]);
static ODD: Family<Bytes, 1> =
    Family::as_named_by("other", Kind::Gauge, "thing_limit_total", "A limit.", &[Label::open("c", "things")]);
static HISTOGRAM: Family<Seconds, 1> = Family::histogram("thing_wait_seconds", "Waits.", &[Label::open("c", "things")]);
const BOUNDS: &[f64] = &[0.001, 0.5, 1.0, 30.0];

/// A value that no reader finds hard is no test.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec!['"', '\\', '\n', 'n', ',', '}', '{', '=', ' ', '#', '\0', '櫓']),
            0..12
        )
        .prop_map(|chars| chars.into_iter().collect()),
        Just("x".repeat(300)),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()),
        any::<i32>().prop_map(f64::from),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

fn time() -> impl Strategy<Value = f64> {
    (1_000_000_000_u32..2_000_000_000, 0_u32..1000).prop_map(|(s, ms)| f64::from(s) + f64::from(ms) / 1000.0)
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    (text(), number(), prop::option::of(time())).prop_map(|(id, value, timestamp)| Exemplar {
        labels: vec![("id".into(), id.chars().take(100).collect())],
        value,
        timestamp,
    })
}

fn distinct(rows: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set(text(), 0..rows).prop_map(|set| set.into_iter().collect())
}

fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> ParsedSample {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ParsedSample { name: name.to_owned(), labels, value, ..ParsedSample::default() }
}

fn family(desc: &metric::Desc, format: Format, samples: Vec<ParsedSample>) -> Option<ParsedFamily> {
    let odd = format == Format::OpenMetrics1 && desc.name == "thing_limit_total";
    let unit =
        if format == Format::Text004 || odd || desc.name == "thing_limit_total" { UnitName::None } else { desc.unit };
    (!samples.is_empty()).then(|| ParsedFamily {
        name: desc.name.to_owned(),
        help: desc.help.to_owned(),
        kind: if odd { ParsedKind::Unknown } else { desc.kind.into() },
        unit: unit.suffix().to_owned(),
        samples,
    })
}

#[derive(Debug, Clone)]
struct Content {
    subjects: Vec<String>,
    ages: Vec<f64>,
    counters: Vec<(String, f64, Option<f64>, Option<Exemplar>)>,
    odd: Vec<String>,
    histograms: Vec<(String, Vec<f64>, Option<f64>)>,
}

fn content() -> impl Strategy<Value = Content> {
    let counters = distinct(5).prop_flat_map(|names| {
        let len = names.len();
        let rest = (0.0..f64::MAX, prop::option::of(time()), prop::option::of(exemplar()));
        (Just(names), prop::collection::vec(rest, len))
            .prop_map(|(names, rest)| names.into_iter().zip(rest).map(|(n, (v, c, e))| (n, v, c, e)).collect())
    });
    let histograms = distinct(4).prop_flat_map(|names| {
        let len = names.len();
        let rest = (prop::collection::vec(0.0..100.0, 0..20), prop::option::of(time()));
        (Just(names), prop::collection::vec(rest, len))
            .prop_map(|(names, rest)| names.into_iter().zip(rest).map(|(n, (o, c))| (n, o, c)).collect())
    });
    (distinct(5), prop::collection::vec(number(), 5), counters, distinct(3), histograms)
        .prop_map(|(subjects, ages, counters, odd, histograms)| Content { subjects, ages, counters, odd, histograms })
}

impl Content {
    fn batch(&self) -> Batch {
        let mut batch = Batch::default();
        for (name, age) in self.subjects.iter().zip(&self.ages) {
            let thing = batch.subject::<Thing, 2>([name, "b"]);
            batch.put_of(&GAUGE, thing, [name], Seconds(*age));
        }
        for (name, value, created, exemplar) in &self.counters {
            let extra = Extra { created: *created, exemplar: exemplar.clone() };
            batch.put_with::<_, 1, Alone>(&COUNTER, None, [name], *value, extra);
        }
        for name in &self.odd {
            batch.put(&ODD, [name], Bytes(9));
        }
        for (name, observations, created) in &self.histograms {
            batch.put_histogram(&HISTOGRAM, None, [name], Self::histogram(observations, *created));
        }
        batch
    }

    fn histogram(observations: &[f64], created: Option<f64>) -> Histogram {
        let mut histogram = Histogram::new(BOUNDS, 2);
        for value in observations {
            histogram.observe(*value);
        }
        histogram.created = created;
        histogram
    }

    /// The model, made without the encoder.
    fn model(&self, format: Format) -> Exposition {
        let full = format != Format::Text004;
        let ages = self.subjects.iter().zip(&self.ages);
        let ages = ages.map(|(name, age)| sample(GAUGE.desc().name, &[("a", name), ("b", "b"), ("c", name)], *age));
        let counters = self.counters.iter().map(|(name, value, created, exemplar)| ParsedSample {
            created: created.filter(|_| full),
            exemplar: exemplar.clone().filter(|_| full),
            ..sample("thing_events_total", &[("c", name)], *value)
        });
        let odd = self.odd.iter().map(|name| sample("thing_limit_total", &[("c", name)], 9.0));
        let histograms = self.histograms.iter().flat_map(|(name, observations, created)| {
            let created = created.filter(|_| full);
            let one = if format == Format::OpenMetrics1 { "1.0" } else { "1" };
            let thirty = if format == Format::OpenMetrics1 { "30.0" } else { "30" };
            let count = |bound: f64| observations.iter().filter(|o| **o <= bound).count() as f64;
            let mut lines: Vec<_> =
                [("0.001", 0.001), ("0.5", 0.5), (one, 1.0), (thirty, 30.0), ("+Inf", f64::INFINITY)]
                    .into_iter()
                    .map(|(le, bound)| sample("thing_wait_seconds_bucket", &[("c", name), ("le", le)], count(bound)))
                    .collect();
            let histogram = Self::histogram(observations, created);
            lines.push(sample("thing_wait_seconds_sum", &[("c", name)], histogram.sum()));
            let total = observations.len() as f64;
            lines.push(ParsedSample { created, ..sample("thing_wait_seconds_count", &[("c", name)], total) });
            if format == Format::Protobuf {
                let native = histogram.native.as_ref().unwrap();
                let native = NativeHistogram {
                    count: observations.len() as u64,
                    sum: histogram.sum(),
                    schema: native.schema,
                    zero_threshold: native.zero_threshold,
                    zero_count: native.zero,
                    positive: native.positive.clone(),
                    ..NativeHistogram::default()
                };
                let base = sample("thing_wait_seconds", &[("c", name)], total);
                lines.push(ParsedSample { created, histogram: Some(Box::new(native)), ..base });
            }
            lines
        });
        let families = [
            family(GAUGE.desc(), format, ages.collect()),
            family(COUNTER.desc(), format, counters.collect()),
            family(ODD.desc(), format, odd.collect()),
            family(HISTOGRAM.desc(), format, histograms.collect()),
        ];
        Exposition { families: families.into_iter().flatten().collect() }
    }
}

proptest! {
    #[test]
    fn a_batch_reads_back_as_what_was_put(content in content()) {
        for format in Format::ALL {
            let mut page = Vec::new();
            let stats = encode(&[&content.batch()], format, &mut page).unwrap();
            let read = parse(&page, format).unwrap();
            prop_assert_eq!(stats.bytes, page.len() as u64);
            prop_assert_eq!(stats.series, read.samples().count() as u64);
            prop_assert_eq!(&read, &content.model(format));
            // What was read is written as what was read.
            let mut again = Vec::new();
            let restats = encode_exposition(&read, format, &mut again).unwrap();
            prop_assert_eq!(restats, stats);
            prop_assert!(again == page, "{format:?}");
        }
    }

    #[test]
    fn a_page_means_the_same_in_each_format(content in content()) {
        let mut page = Vec::new();
        encode(&[&content.batch()], Format::Protobuf, &mut page).unwrap();
        let rich = parse(&page, Format::Protobuf).unwrap();
        for format in [Format::Text004, Format::OpenMetrics1] {
            let mut page = Vec::new();
            encode_exposition(&rich, format, &mut page).unwrap();
            prop_assert_eq!(parse(&page, format).unwrap(), content.model(format));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        lines in "(# (HELP|TYPE|UNIT|EOF)|[a-z]{1,2}(_total|_bucket)?|\\{|\\}|\"|\\\\|=|,| |1|\n|le|#){0,40}",
    ) {
        for format in Format::ALL {
            let _ = parse(&bytes, format);
            let _ = expo::parse_lenient(lines.as_bytes(), format);
        }
    }
}

#[test]
fn a_family_of_many_chunks_is_whole() {
    let mut batch = Batch::default();
    for i in 0..5_000_u32 {
        let thing = batch.subject::<Thing, 2>([&i.to_string(), "some name of a usual length"]);
        batch.put_of(&GAUGE, thing, ["c"], Seconds(f64::from(i)));
    }
    for format in Format::ALL {
        let mut page = Vec::new();
        let stats = encode(&[&batch], format, &mut page).unwrap();
        let read = parse(&page, format).unwrap();
        assert_eq!((stats.series, stats.bytes), (5_000, page.len() as u64));
        assert_eq!(read.samples().count(), 5_000);
        assert!(read.samples().zip(0_u32..).all(|((_, sample), i)| sample.value == f64::from(i)));
    }
}
