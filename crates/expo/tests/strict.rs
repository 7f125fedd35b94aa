//! What readers refuse, and that they read what others print.

use expo::{Format, ParsedKind, encode_exposition, parse, parse_lenient};

/// (page, the error)
const TEXT: &[(&str, &str)] = &[
    ("up 1", "line 1: the last line has no end"),
    ("1up 1\n", "line 1: \"1up\" is not a valid name"),
    ("up\n", "line 1: expected a space at column 3"),
    ("up one\n", "line 1: \"one\" is not a number"),
    ("up inf\n", "line 1: \"inf\" is not a number"),
    ("up 1 2 3\n", "line 1: expected the end of the line at column 8"),
    ("up 1 2.5\n", "line 1: \"2.5\" is not a number"),
    ("up{a} 1\n", "line 1: expected = at column 4"),
    ("up{a=1} 1\n", "line 1: expected \" at column 6"),
    ("up{a=\"1} 1\n", "line 1: expected \" at column 11"),
    ("up{a=\"\\t\"} 1\n", "line 1: \\t is not an escape"),
    ("up{a=\"\"b=\"\"} 1\n", "line 1: expected comma or } at column 8"),
    ("up{1a=\"\"} 1\n", "line 1: \"1a\" is not a valid name"),
    ("up{a=\"\",a=\"\"} 1\n", "line 1: label a stands twice"),
    ("up 1\nup 2\nup 3\nb 1\n", "line 2: up{} stands twice"),
    ("up{a=\"1\",b=\"2\"} 1\nup{b=\"2\",a=\"1\"} 1\n", "line 2: up{b=\"2\",a=\"1\"} stands twice"),
    ("a 1\nb 1\na{x=\"\"} 1\n", "line 3: a stands in two places"),
    ("# TYPE a gauge\na 1\n# TYPE a gauge\n", "line 3: TYPE of a stands after samples of it"),
    ("# TYPE a gauge\n# TYPE a gauge\na 1\n", "line 2: second TYPE of a"),
    ("# HELP a b\n# HELP a b\n", "line 2: second HELP of a"),
    ("# HELP a \\x\n", "line 1: \\x is not an escape"),
    ("# TYPE a stateset\n", "line 1: \"stateset\" is not a type"),
    ("# TYPE a histogram\na 1\n", "line 2: a is no sample of a histogram"),
    ("# TYPE a histogram\na_bucket 1\n", "line 2: a_bucket{}: bucket without le"),
    ("# TYPE a histogram\na_sum 1\na_count 1\n", "line 3: a{}: no +Inf bucket"),
    ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\n", "line 3: a{}: count and +Inf bucket differ"),
    (
        "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n",
        "line 3: a_bucket{le=\"+Inf\"}: buckets are not cumulative",
    ),
    (
        "# TYPE a histogram\na_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\n",
        "line 3: a_bucket{le=\"1\"}: bounds do not rise",
    ),
    ("a_count 1\n# TYPE a summary\na_count{x=\"\"} 1\n", "line 3: a_count of a clashes with family a_count"),
    ("up{a=\"\u{fffd}\"} 1\nx", "line 2: expected a space at column 2"),
];

const OPENMETRICS: &[(&str, &str)] = &[
    ("", "line 1: the page does not end with # EOF"),
    ("up 1\n", "line 1: the page does not end with # EOF"),
    ("# EOF\nup 1\n", "line 2: data after # EOF"),
    ("\n# EOF\n", "line 1: blank line"),
    ("# a comment\n# EOF\n", "line 1: neither HELP nor TYPE nor UNIT nor EOF"),
    ("# TYPE a untyped\n# EOF\n", "line 1: \"untyped\" is not a type"),
    ("# TYPE a counter\na 1\n# EOF\n", "line 2: a is no sample of a counter"),
    ("# TYPE a counter\na_total -1\n# EOF\n", "line 2: -1 is no value of a counter"),
    ("# TYPE a counter\na_total NaN\n# EOF\n", "line 2: NaN is no value of a counter"),
    ("# TYPE a counter\na_created 1\n# EOF\n", "line 3: a_created belongs to no sample"),
    ("# TYPE a info\na 1\n# EOF\n", "line 2: a is no sample of a info"),
    ("# TYPE a info\na_info 2\n# EOF\n", "line 2: 2 is no value of a info"),
    ("# TYPE a stateset\na{b=\"\"} 1\n# EOF\n", "line 2: 1 is no value of a stateset"),
    ("# TYPE a_s gauge\n# UNIT a_s seconds\n# EOF\n", "line 3: unit \"seconds\" does not fit a_s"),
    ("# TYPE as gauge\n# UNIT as s\n# EOF\n", "line 3: unit \"s\" does not fit as"),
    ("# TYPE a gauge\na 1 # {} 1\n# EOF\n", "line 2: a may not have an exemplar"),
    ("# TYPE a counter\na_total 1 # {x=\"y\" 1\n# EOF\n", "line 2: expected comma or } at column 19"),
    ("a{b=\"\",} 1\n# EOF\n", "line 1: expected a label at column 9"),
    ("a  1\n# EOF\n", "line 1: \"\" is not a number"),
    (
        "# TYPE a counter\na_total 1\n# TYPE a_total gauge\na_total 1\n# EOF\n",
        "line 4: a_total of a_total clashes with family a",
    ),
];

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    for (format, cases) in [(Format::Text004, TEXT), (Format::OpenMetrics1, OPENMETRICS)] {
        for (page, error) in cases {
            let refused = parse(page.as_bytes(), format).expect_err(page).to_string();
            assert_eq!(refused, *error, "{page:?}");
        }
    }
    let long = format!("# TYPE a counter\na_total 1 # {{x=\"{}\"}} 1\n# EOF\n", "y".repeat(128));
    let refused = parse(long.as_bytes(), Format::OpenMetrics1).unwrap_err();
    assert_eq!(refused.to_string(), "line 2: the exemplar has more than 128 characters");
    assert_eq!(parse(b"up{a=\"\xff\"} 1\n", Format::Text004).unwrap_err().to_string(), "line 1: not UTF-8");
}

#[test]
fn malformed_messages_are_refused() {
    let cases: &[(&[u8], &str)] = &[
        (&[5, 10, 1], "message 1: malformed message: it ends too early"),
        (&[3, 10, 1, b'!'], "message 1: \"!\" is not a valid name"),
        (&[3, 10, 1, 0xff], "message 1: not UTF-8"),
        (&[5, 10, 1, b'a', 24, 9], "message 1: \"9\" is not a type"),
        (&[5, 10, 1, b'a', 34, 0], "message 1: malformed message: a metric without value"),
        (&[3, 10, 1, b'a', 3, 10, 1, b'a'], "message 2: a stands in two places"),
        (&[7, 10, 1, b'a', 34, 2, 18, 0], "message 1: malformed message: a metric of another type than its family"),
    ];
    for (page, error) in cases {
        assert_eq!(parse(page, Format::Protobuf).unwrap_err().to_string(), *error);
    }
}

/// As a kubelet prints it: timestamps, and labels in the order of their names.
const KUBELET: &str = "\
# HELP container_cpu_usage_seconds_total Cumulative cpu time consumed in seconds.
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container=\"\",cpu=\"total\",id=\"/\",image=\"\",name=\"\",namespace=\"\",pod=\"\"} 6.6e+01 1795466031123
# HELP container_memory_failcnt Number of memory usage hits limits
# TYPE container_memory_failcnt counter
container_memory_failcnt{container=\"\",id=\"/\",image=\"\",name=\"\",namespace=\"\",pod=\"\"} 0 1795466031123
# HELP container_scrape_error 1 if there was an error while getting container metrics, 0 otherwise
# TYPE container_scrape_error gauge
container_scrape_error 0
";

/// As `client_golang` prints it: summaries, untyped samples, quantiles that are NaN, and no header.
const GO: &str = "\
# HELP go_gc_duration_seconds A summary of pauses.
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile=\"0\"} 3.2e-05
go_gc_duration_seconds{quantile=\"1\"} 0.001
go_gc_duration_seconds_sum 0.25
go_gc_duration_seconds_count 7
# HELP node_textfile_mtime_seconds Something\\nelse \\\\ here.
# TYPE node_textfile_mtime_seconds untyped
node_textfile_mtime_seconds{ file = \"a\" , } +Inf

# Just a comment.
loose\t{a=\"b\"}  1e3\t1234
";

#[test]
fn pages_of_other_exporters_are_read() {
    let kubelet = parse(KUBELET.as_bytes(), Format::Text004).unwrap();
    let (family, sample) = kubelet.samples().next().unwrap();
    assert_eq!((family.kind, sample.value, sample.timestamp), (ParsedKind::Counter, 66.0, Some(1_795_466_031_123)));
    let go = parse(GO.as_bytes(), Format::Text004).unwrap();
    assert_eq!(go.families[0].samples.len(), 4);
    assert_eq!(go.value("go_gc_duration_seconds", &[("quantile", "0")]), Some(3.2e-5));
    assert_eq!(go.families[1].help, "Something\nelse \\ here.");
    assert_eq!(go.value("node_textfile_mtime_seconds", &[("file", "a")]), Some(f64::INFINITY));
    let loose = go.family("loose").unwrap();
    assert_eq!(
        (loose.kind, loose.samples[0].value, loose.samples[0].timestamp),
        (ParsedKind::Unknown, 1e3, Some(1234))
    );
    for page in [kubelet, go] {
        for format in Format::ALL {
            let mut out = Vec::new();
            encode_exposition(&page, format, &mut out).unwrap();
            let back = parse(&out, format).unwrap();
            assert_eq!(back.samples().count(), page.samples().count());
            assert!(back.samples().zip(page.samples()).all(|((_, a), (_, b))| {
                (&a.name, a.value, a.timestamp, a.labels.len()) == (&b.name, b.value, b.timestamp, b.labels.len())
            }));
        }
    }
}

#[test]
fn lenient_reading_forgives_what_scrapers_forgive() {
    // Full names in OpenMetrics headers.
    let page = b"# TYPE kube_pod_info info\nkube_pod_info{pod=\"a\"} 1\n# TYPE x_total counter\nx_total 1\n# EOF\n";
    assert!(parse(page, Format::OpenMetrics1).is_err());
    let read = parse_lenient(page, Format::OpenMetrics1).unwrap();
    let names: Vec<_> = read.families.iter().map(|family| (family.name.as_str(), family.kind)).collect();
    assert_eq!(names, [("kube_pod_info", ParsedKind::Info), ("x_total", ParsedKind::Counter)]);
    // Interleaved families, series that stand twice, no last line end.
    let page = b"a 1\nb 1\na 2\n# TYPE c histogram\nc_sum 1\n# HELP c \\x";
    assert_eq!(parse_lenient(page, Format::Text004).unwrap().samples().count(), 4);
    assert!(parse_lenient(b"a{ 1\n", Format::Text004).is_err());
}

#[test]
fn all_that_openmetrics_has_is_read_and_written_again() {
    let page = "\
# HELP h Waits.
# TYPE h gaugehistogram
h_bucket{le=\"0.5\"} 1 # {id=\"a\"} 0.25 1700000000.5
h_bucket{le=\"+Inf\"} 3
h_gcount 3
h_gsum -2.5
# TYPE s_seconds summary
# UNIT s_seconds seconds
s_seconds{quantile=\"0.5\"} 2 1700000000.123
s_seconds_sum 4 1700000000.123
s_seconds_count 2 1700000000.123
s_seconds_created 1600000000
# TYPE build info
build_info{version=\"1\"} 1
# EOF
";
    let read = parse(page.as_bytes(), Format::OpenMetrics1).unwrap();
    let mut again = Vec::new();
    encode_exposition(&read, Format::OpenMetrics1, &mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), page);
    let mut text = Vec::new();
    encode_exposition(&read, Format::Text004, &mut text).unwrap();
    let expected = "\
# HELP h Waits.
# TYPE h histogram
h_bucket{le=\"0.5\"} 1
h_bucket{le=\"+Inf\"} 3
h_count 3
h_sum -2.5
# TYPE s_seconds summary
s_seconds{quantile=\"0.5\"} 2 1700000000123
s_seconds_sum 4 1700000000123
s_seconds_count 2 1700000000123
# TYPE build_info gauge
build_info{version=\"1\"} 1
";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
    let mut message = Vec::new();
    encode_exposition(&read, Format::Protobuf, &mut message).unwrap();
    let back = parse(&message, Format::Protobuf).unwrap();
    assert_eq!(back.families[1], read.families[1]);
    assert_eq!(back.families[0].samples[0].exemplar, read.families[0].samples[0].exemplar);
    assert_eq!(back.value("h_gsum", &[]), Some(-2.5));
}

#[test]
fn a_native_histogram_alone_is_its_count_and_sum_in_text() {
    let native = expo::NativeHistogram {
        count: 6,
        sum: 1.5,
        schema: 0,
        zero_count: 1,
        positive: vec![(-3, 2), (4, 1)],
        negative: vec![(0, 2)],
        ..Default::default()
    };
    let sample =
        expo::ParsedSample { name: "n".into(), value: 6.0, histogram: Some(Box::new(native)), ..Default::default() };
    let family = expo::ParsedFamily {
        name: "n".into(),
        kind: ParsedKind::Histogram,
        samples: vec![sample],
        ..Default::default()
    };
    let page = expo::Exposition { families: vec![family] };
    let mut out = Vec::new();
    encode_exposition(&page, Format::Protobuf, &mut out).unwrap();
    assert_eq!(parse(&out, Format::Protobuf).unwrap(), page);
    out.clear();
    let stats = encode_exposition(&page, Format::Text004, &mut out).unwrap();
    let expected = "# TYPE n histogram\nn_bucket{le=\"+Inf\"} 6\nn_sum 1.5\nn_count 6\n";
    assert_eq!((String::from_utf8(out).unwrap().as_str(), stats.series), (expected, 3));
}
