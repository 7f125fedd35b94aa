//! What pages look like, to the letter.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expo::{Encoder, Format, Stats, encode};
use metric::{Batch, Buckets, Bytes, Count, Exemplar, Extra, Family, Histogram, Kind, Label, Native, Seconds, Subject};

struct Disk;

impl Subject for Disk {
    const LABELS: &'static [Label] = &[Label::open("disk", "disks"), Label::open("path", "mounts")];
}

static MOVED: Family<Bytes, 1, Disk> = Family::counter(
    "disk_moved_bytes_total",
    "Bytes \"moved\".\\ Really.",
    &[Label::closed("direction", &["read", "write"])],
);
static UP: Family<Count, 0> = Family::gauge("up", "Whether it is up.", &[]);
static BUILD: Family<Count, 1> = Family::info("build_info", "What was built.", &[Label::open("version", "one")]);
static LATENCY: Family<Seconds, 1> =
    Family::histogram("latency_seconds", "How long it took.", &[Label::open("op", "operations")]);
static SHORT: Family<Seconds, 0> = Family::histogram("short_seconds", "Native only.", &[]);
static FAILCNT: Family<Count, 0> = Family::as_named_by("other", Kind::Counter, "mem_failcnt", "Failures.", &[]);
static LIMIT: Family<Bytes, 0> = Family::as_named_by("other", Kind::Gauge, "limit_bytes_total", "A limit.", &[]);
static MYSTERY: Family<Count, 0> = Family::as_named_by("other", Kind::Unknown, "mystery", "Who knows.", &[]);
static PHASE: Family<Count, 1> =
    Family::as_named_by("other", Kind::StateSet, "phase", "The phase.", &[Label::closed("phase", &["on", "off"])]);

fn batch() -> Batch {
    let mut batch = Batch::default();
    let sda = batch.subject::<Disk, 2>(["sda", "C:\\\"new\"\n"]);
    batch.put_of(&MOVED, sda, ["read"], Bytes(1 << 40));
    let extra = Extra {
        created: Some(1_700_000_000.5),
        exemplar: Some(Exemplar {
            labels: vec![("trace_id".into(), "a\"b".into())],
            value: 0.5,
            timestamp: Some(1_700_000_001.0),
        }),
    };
    batch.put_with(&MOVED, Some(sda), ["write"], Bytes(2), extra);
    batch.put(&UP, [], f64::NAN);
    batch.put(&BUILD, ["1.0"], 1_u8);
    let mut latency = Histogram::classic(&[0.005, 1.0, 1e6]);
    latency.observe(0.25);
    latency.observe_many(3.0, 2);
    latency.created = Some(1.0);
    let exemplar = |id: &str| Exemplar { labels: vec![("id".into(), id.into())], value: 0.25, timestamp: None };
    latency.exemplars = vec![exemplar("first"), exemplar("last")];
    batch.put_histogram(&LATENCY, None, ["get"], latency);
    let native = Native { schema: 3, zero_threshold: 0.0, zero: 0, positive: vec![(-2, 1), (-1, 3), (5, 2)] };
    batch.put_histogram(&SHORT, None, [], Histogram::counted(4.5, 6, None, Some(native)));
    batch.put(&FAILCNT, [], 7_u8);
    batch.put(&LIMIT, [], Bytes(8));
    batch.put(&MYSTERY, [], -1.5);
    batch.put(&PHASE, ["on"], 1_u8);
    batch.put(&PHASE, ["off"], 0_u8);
    batch
}

fn page(format: Format) -> (String, Stats) {
    let mut out = Vec::new();
    let stats = encode(&[&batch()], format, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), stats)
}

const TEXT: &str = r#"# HELP disk_moved_bytes_total Bytes "moved".\\ Really.
# TYPE disk_moved_bytes_total counter
disk_moved_bytes_total{disk="sda",path="C:\\\"new\"\n",direction="read"} 1099511627776
disk_moved_bytes_total{disk="sda",path="C:\\\"new\"\n",direction="write"} 2
# HELP up Whether it is up.
# TYPE up gauge
up NaN
# HELP build_info What was built.
# TYPE build_info gauge
build_info{version="1.0"} 1
# HELP latency_seconds How long it took.
# TYPE latency_seconds histogram
latency_seconds_bucket{op="get",le="0.005"} 0
latency_seconds_bucket{op="get",le="1"} 1
latency_seconds_bucket{op="get",le="1e+06"} 3
latency_seconds_bucket{op="get",le="+Inf"} 3
latency_seconds_sum{op="get"} 6.25
latency_seconds_count{op="get"} 3
# HELP short_seconds Native only.
# TYPE short_seconds histogram
short_seconds_bucket{le="+Inf"} 6
short_seconds_sum 4.5
short_seconds_count 6
# HELP mem_failcnt Failures.
# TYPE mem_failcnt counter
mem_failcnt 7
# HELP limit_bytes_total A limit.
# TYPE limit_bytes_total gauge
limit_bytes_total 8
# HELP mystery Who knows.
# TYPE mystery untyped
mystery -1.5
# HELP phase The phase.
# TYPE phase gauge
phase{phase="on"} 1
phase{phase="off"} 0
"#;

const OPENMETRICS: &str = r#"# HELP disk_moved_bytes Bytes \"moved\".\\ Really.
# TYPE disk_moved_bytes counter
# UNIT disk_moved_bytes bytes
disk_moved_bytes_total{disk="sda",path="C:\\\"new\"\n",direction="read"} 1099511627776
disk_moved_bytes_total{disk="sda",path="C:\\\"new\"\n",direction="write"} 2 # {trace_id="a\"b"} 0.5 1700000001
disk_moved_bytes_created{disk="sda",path="C:\\\"new\"\n",direction="write"} 1700000000.5
# HELP up Whether it is up.
# TYPE up gauge
up NaN
# HELP build What was built.
# TYPE build info
build_info{version="1.0"} 1
# HELP latency_seconds How long it took.
# TYPE latency_seconds histogram
# UNIT latency_seconds seconds
latency_seconds_bucket{op="get",le="0.005"} 0
latency_seconds_bucket{op="get",le="1.0"} 1 # {id="last"} 0.25
latency_seconds_bucket{op="get",le="1e+06"} 3
latency_seconds_bucket{op="get",le="+Inf"} 3
latency_seconds_sum{op="get"} 6.25
latency_seconds_count{op="get"} 3
latency_seconds_created{op="get"} 1
# HELP short_seconds Native only.
# TYPE short_seconds histogram
# UNIT short_seconds seconds
short_seconds_bucket{le="+Inf"} 6
short_seconds_sum 4.5
short_seconds_count 6
# HELP mem_failcnt Failures.
# TYPE mem_failcnt unknown
mem_failcnt 7
# HELP limit_bytes_total A limit.
# TYPE limit_bytes_total unknown
limit_bytes_total 8
# HELP mystery Who knows.
# TYPE mystery unknown
mystery -1.5
# HELP phase The phase.
# TYPE phase stateset
phase{phase="on"} 1
phase{phase="off"} 0
# EOF
"#;

#[test]
fn text_004() {
    let (text, stats) = page(Format::Text004);
    assert_eq!(text, TEXT);
    assert_eq!(stats, Stats { series: 18, bytes: TEXT.len() as u64 });
}

#[test]
fn openmetrics() {
    let (text, stats) = page(Format::OpenMetrics1);
    assert_eq!(text, OPENMETRICS);
    assert_eq!(stats, Stats { series: 18, bytes: OPENMETRICS.len() as u64 });
}

#[test]
fn protobuf() {
    let mut batch = Batch::default();
    let sda = batch.subject::<Disk, 2>(["a", ""]);
    batch.put_of(&MOVED, sda, ["read"], Bytes(1));
    let native = Native { schema: -1, zero_threshold: 0.5, zero: 1, positive: vec![(-2, 1), (-1, 3), (5, 2)] };
    batch.put_histogram(&SHORT, None, [], Histogram::counted(2.0, 7, None, Some(native)));
    let mut out = Vec::new();
    let stats = encode(&[&batch], Format::Protobuf, &mut out).unwrap();
    let one = [0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
    let two = [0, 0, 0, 0, 0, 0, 0, 0x40];
    let half = [0, 0, 0, 0, 0, 0, 0xe0, 0x3f];
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let name: &[u8] = b"\x0a\x16disk_moved_bytes_total\x12\x17Bytes \"moved\".\\ Really.\x18\x00\x2a\x05bytes";
    let labels: &[u8] =
        b"\x0a\x09\x0a\x04disk\x12\x01a\x0a\x08\x0a\x04path\x12\x00\x0a\x11\x0a\x09direction\x12\x04read";
    let counter = [&[0x1a, 9, 9][..], &one].concat();
    let metric = [&[0x22, length(labels) + length(&counter)][..], labels, &counter].concat();
    let first = [name, &metric].concat();
    let histogram = [
        &[8, 7, 0x11][..],
        &two,
        &[0x28, 1, 0x31],
        &half,
        &[0x38, 1],
        &[0x62, 4, 8, 3, 16, 2, 0x62, 4, 8, 10, 16, 1, 0x6a, 3, 2, 4, 1],
    ]
    .concat();
    let metric = [&[0x22, length(&histogram) + 2, 0x3a, length(&histogram)][..], &histogram].concat();
    let second = [&b"\x0a\x0dshort_seconds\x12\x0cNative only.\x18\x04\x2a\x07seconds"[..], &metric].concat();
    let expected = [&[length(&first)][..], &first, &[length(&second)], &second].concat();
    assert!(first.len() < 128 && second.len() < 128, "{} {}", first.len(), second.len());
    assert_eq!(out, expected);
    assert_eq!(stats, Stats { series: 2, bytes: expected.len() as u64 });
}

#[test]
fn a_page_of_parts_ends_once_and_an_encoder_leaves_nothing_behind() {
    let mut encoder = Encoder::default();
    let mut up = Batch::default();
    up.put(&UP, [], 1_u8);
    let other = expo::parse(
        b"# TYPE own_seconds counter\n# UNIT own_seconds seconds\nown_seconds_total 2\n# EOF\n",
        Format::OpenMetrics1,
    )
    .unwrap();
    for _ in 0..2 {
        let mut page = Vec::new();
        encoder.append(&[&up], Format::OpenMetrics1, &mut page).unwrap();
        encoder.append_exposition(&other, Format::OpenMetrics1, &mut page).unwrap();
        encoder.finish(Format::OpenMetrics1, &mut page).unwrap();
        let expected = "# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n\
                        # TYPE own_seconds counter\n# UNIT own_seconds seconds\nown_seconds_total 2\n# EOF\n";
        assert_eq!(String::from_utf8(page).unwrap(), expected);
    }
    let mut page = Vec::new();
    encoder.append(&[&up], Format::Text004, &mut page).unwrap();
    encoder.append_exposition(&other, Format::Text004, &mut page).unwrap();
    encoder.finish(Format::Text004, &mut page).unwrap();
    let expected =
        "# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n# TYPE own_seconds_total counter\nown_seconds_total 2\n";
    assert_eq!(String::from_utf8(page).unwrap(), expected);
}

#[test]
fn buckets_that_were_counted_apart_never_contradict_the_count() {
    let classic = Buckets { bounds: &[1.0], counts: vec![1, 1] };
    let mut batch = Batch::default();
    batch.put_histogram(&SHORT, None, [], Histogram::counted(1.0, 3, Some(classic), None));
    for format in Format::ALL {
        let mut page = Vec::new();
        encode(&[&batch], format, &mut page).unwrap();
        let page = expo::parse(&page, format).unwrap();
        assert_eq!(page.value("short_seconds_count", &[]), Some(2.0), "{format:?}");
    }
}

#[test]
fn a_writer_that_fails_ends_the_page() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in Format::ALL {
        assert!(encode(&[&batch()], format, &mut Full).is_err());
    }
}
