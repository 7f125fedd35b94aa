//! A series stands once on a page, whatever the page is made of.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expo::{Encoder, Exposition, Format, parse};
use metric::{Batch, Count, Desc, Family, Histogram, Label, Seconds, Subject};

struct Disk;

impl Subject for Disk {
    const LABELS: &'static [Label] = &[Label::open("disk", "disks")];
}

static SIZE: Family<Count, 0, Disk> = Family::gauge("disk_sectors", "Size.", &[]);
static MOUNTED: Family<Count, 1> = Family::gauge("mounted", "Mounts.", &[Label::open("point", "mounts")]);
static WAIT: Family<Seconds, 1> = Family::histogram("wait_seconds", "Waits.", &[Label::open("disk", "disks")]);
static AGAIN: Family<Count, 1> = Family::gauge("mounted", "Mounts.", &[Label::open("point", "mounts")]);

fn batch() -> Batch {
    let mut batch = Batch::default();
    let sda = batch.subject::<Disk, 1>(["sda"]);
    let twin = batch.subject::<Disk, 1>(["sda"]);
    batch.put_of(&SIZE, sda, [], 1);
    batch.put_of(&SIZE, twin, [], 2);
    for (point, number) in [("/", 1), ("/x", 2), ("/", 3)] {
        batch.put(&MOUNTED, [point], number);
    }
    for disk in ["sda", "sdb", "sda"] {
        batch.put_histogram(&WAIT, None, [disk], Histogram::default());
    }
    batch
}

/// The page, read strictly, and what was left out.
fn page(batches: &[&Batch], others: &str, format: Format) -> (Exposition, Vec<(String, u64)>) {
    let mut encoder = Encoder::default();
    let others = expo::parse_lenient(others.as_bytes(), Format::Text004).unwrap();
    let mut pages: Vec<Vec<u8>> = Vec::new();
    let mut left_out = Vec::new();
    // The second page is as the first.
    for _ in 0..2 {
        let mut page = Vec::new();
        let mut stats = encoder.append(batches, format, &mut page).unwrap();
        stats += encoder.append_exposition(&others, format, &mut page).unwrap();
        stats += encoder.finish(format, &mut page).unwrap();
        assert_eq!(stats.bytes, page.len() as u64);
        pages.push(page);
        left_out = encoder.left_out();
        left_out.sort();
    }
    let [first, second] = &*pages else { panic!("{} pages", pages.len()) };
    assert_eq!(first, second);
    assert_eq!(encoder.left_out(), []);
    (parse(first, format).unwrap(), left_out)
}

fn counts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(family, count)| ((*family).to_owned(), *count)).collect()
}

#[test]
fn of_several_samples_of_a_series_the_first_is_written() {
    for format in Format::ALL {
        let (page, left_out) = page(&[&batch()], "", format);
        assert_eq!(page.value("disk_sectors", &[("disk", "sda")]), Some(1.0), "{format:?}");
        assert_eq!(page.value("mounted", &[("point", "/")]), Some(1.0), "{format:?}");
        assert_eq!(page.value("mounted", &[("point", "/x")]), Some(2.0), "{format:?}");
        assert_eq!(left_out, counts(&[("disk_sectors", 1), ("mounted", 1), ("wait_seconds", 1)]), "{format:?}");
    }
}

#[test]
fn families_of_another_source_neither_repeat_names_nor_series() {
    let others = "# TYPE mounted gauge\nmounted{point=\"/new\"} 1\nwait_seconds_count 7\n\
        free{a=\"1\",b=\"2\"} 1\nfree{b=\"2\",a=\"1\",c=\"\"} 2\nfree{a=\"1\"} 3\n";
    for format in Format::ALL {
        let (page, left_out) = page(&[&batch()], others, format);
        assert_eq!(page.value("mounted", &[("point", "/new")]), None, "{format:?}");
        assert_eq!(page.value("wait_seconds_count", &[]), None, "{format:?}");
        assert_eq!(page.value("free", &[("a", "1"), ("b", "2")]), Some(1.0), "{format:?}");
        assert_eq!(page.value("free", &[("a", "1")]), Some(3.0), "{format:?}");
        let expected = [
            ("disk_sectors", 1),
            ("free", 1),
            ("mounted", 1),
            ("mounted", 1),
            ("wait_seconds", 1),
            ("wait_seconds_count", 1),
        ];
        assert_eq!(left_out, counts(&expected), "{format:?}");
    }
}

#[test]
fn a_family_of_the_name_of_another_is_left_out() {
    let families: [&Desc; 2] = [MOUNTED.desc(), AGAIN.desc()];
    assert_eq!(families[0].name, families[1].name);
    let (mut one, mut other) = (Batch::default(), Batch::default());
    one.put(&MOUNTED, ["/"], 1);
    other.put(&AGAIN, ["/y"], 2);
    let (page, left_out) = page(&[&one, &other], "", Format::OpenMetrics1);
    assert_eq!(page.samples().count(), 1);
    assert_eq!(left_out, counts(&[("mounted", 1)]));
}
