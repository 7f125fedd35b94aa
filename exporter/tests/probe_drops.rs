//! Packets that are dropped on purpose: each is counted, under the right reason, and at the right place.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are test code")]

mod common;

use common::{drops::compare, host, network::Network, on, unable};
use yagura_exporter::probes::{
    drops::Drops,
    lifetime::{Lifetime, Options},
};

/// Why drops cannot be counted here.
fn off() -> Option<String> {
    if let Some(reason) = unable().or_else(Network::unable) {
        return Some(reason);
    }
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let reason = Drops::start(&host(), lifetime.books(), false).err()?.0;
    assert!(reason.contains("Linux 5.17"), "off: {reason}");
    Some(reason)
}

#[test]
fn each_dropped_packet_is_counted_where_it_belongs() {
    if let Some(reason) = off() {
        return testkit::skipped(&reason);
    }
    let (lines, missing) = compare();
    for line in &lines {
        println!("{}: {} as {} of {}", line.what, line.counted, line.counted_as, line.done);
    }
    if let Some(missing) = missing {
        println!("not tried: {missing}");
    }
    assert!(lines.len() >= 4 && lines.iter().all(|line| line.done > 0 && line.counted == line.done), "{lines:#?}");
}

#[test]
fn a_refused_object_gives_a_reason() {
    if let Some(reason) = off() {
        return testkit::skipped(&reason);
    }
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let reason = Drops::start(&host(), lifetime.books(), true).map(drop).unwrap_err();
    assert!(reason.0.contains("refused by the verifier: "), "{reason}");
}
