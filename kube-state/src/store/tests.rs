use std::{collections::BTreeMap, io::Read, sync::Arc};

use expo::Gzip;
use proptest::prelude::*;

use super::*;
use crate::{conformance::lines, kind::OptIn, labels::AllowList, resources};

fn resource() -> &'static dyn Resource {
    resources::find("jobs").unwrap()
}

fn rows() -> Rows {
    let options = resource().options(AllowList::all(), AllowList::all(), OptIn::All);
    Rows::new(Arc::new(options))
}

fn job(uid: usize, generation: usize) -> String {
    let active = generation % 3;
    let conditions = if generation.is_multiple_of(2) { r#"[{"type":"Complete","status":"True"}]"# } else { "[]" };
    format!(
        r#"{{"metadata":{{"name":"job-{uid}","namespace":"ns","uid":"{uid:08x}-0000-4000-8000-000000000000",
            "labels":{{"app":"a{generation}"}}}},"status":{{"active":{active},"conditions":{conditions}}}}}"#
    )
}

fn uid(uid: usize) -> String {
    format!("{uid:08x}-0000-4000-8000-000000000000")
}

fn put(store: &mut Store, rows: &mut Rows, uid: usize, generation: usize) -> Change {
    resource().render(job(uid, generation).as_bytes(), rows).unwrap();
    store.put(rows)
}

fn put_all(store: &mut Store, rows: &mut Rows, uids: std::ops::Range<usize>, generation: usize) {
    for uid in uids {
        put(store, rows, uid, generation);
    }
}

fn text(snapshot: &Snapshot) -> String {
    let mut out = Vec::new();
    snapshot.write(&mut out, |_| true).unwrap();
    String::from_utf8(out).unwrap()
}

/// What a client unpacks, and how much it was sent.
fn unpacked(format: Format, together: &[Snapshot]) -> (String, usize) {
    let mut gzip = Gzip::new(Vec::new());
    Snapshot::write_gzip(format, together, &mut gzip, |_| true).unwrap();
    let (gzip, mut text) = (gzip.finish().unwrap(), String::new());
    flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut text).unwrap();
    (text, gzip.len())
}

fn sorted_series(snapshot: &Snapshot) -> Vec<String> {
    let mut series: Vec<String> =
        text(snapshot).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    series.sort();
    series
}

/// What the objects' own lines say should be there.
fn expected(objects: &BTreeMap<usize, usize>) -> Vec<String> {
    let mut rows = rows();
    let mut series = Vec::new();
    for (uid, generation) in objects {
        resource().render(job(*uid, *generation).as_bytes(), &mut rows).unwrap();
        series.extend(lines(resource(), &rows));
    }
    series.sort();
    series
}

fn store() -> Store {
    Store::of(resource(), &vec![true; resource().families()])
}

#[test]
fn headers_stand_before_each_family_once_there_is_an_object() {
    let (mut store, mut rows) = (store(), rows());
    assert_eq!(text(&store.reader().snapshot()), "");
    put(&mut store, &mut rows, 1, 1);
    let text = text(&store.reader().snapshot());
    assert_eq!(text.matches("# TYPE ").count(), resource().families());
    let info = "# HELP kube_job_info [STABLE] A Job that exists; always 1.\n# TYPE kube_job_info gauge\n\
                kube_job_info{namespace=\"ns\",job_name=\"job-1\"} 1\n";
    assert!(text.contains(info), "{text}");
    let complete = text.find("# TYPE kube_job_complete").unwrap();
    assert!(text.find("# TYPE kube_job_info").unwrap() < complete);
}

#[test]
fn unchanged_objects_change_nothing() {
    let (mut store, mut rows) = (store(), rows());
    assert!(put(&mut store, &mut rows, 1, 1).is_new);
    let before = store.reader().snapshot();
    assert!(put(&mut store, &mut rows, 1, 1).is_none());
    let after = store.reader().snapshot();
    assert!(before.blocks.iter().zip(&after.blocks).all(|(before, after)| Arc::ptr_eq(before, after)));
    // The label, the active count, and nothing else.
    assert_eq!(put(&mut store, &mut rows, 1, 3), Change { families: 2, is_new: false });
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let (mut store, mut rows) = (store(), rows());
    put_all(&mut store, &mut rows, 0..300, 0);
    let snapshot = store.reader().snapshot();
    let before = text(&snapshot);
    put_all(&mut store, &mut rows, 0..300, 1);
    assert!(store.remove(&uid(7)) && !store.remove(&uid(7)));
    assert_eq!(text(&snapshot), before);
    assert_ne!(text(&store.reader().snapshot()), before);
}

#[test]
fn a_relist_is_seen_when_it_is_finished_and_not_before() {
    let (mut store, mut rows) = (store(), rows());
    put_all(&mut store, &mut rows, 0..200, 0);
    let before = text(&store.reader().snapshot());
    store.start_relist();
    put_all(&mut store, &mut rows, 100..300, 1);
    assert_eq!(text(&store.reader().snapshot()), before);
    assert_eq!(store.finish_relist(), 100);
    assert_eq!(sorted_series(&store.reader().snapshot()), expected(&(100..300).map(|uid| (uid, 1)).collect()));
}

#[test]
fn a_relist_of_what_is_there_copies_nothing() {
    let (mut store, mut rows) = (store(), rows());
    put_all(&mut store, &mut rows, 0..200, 0);
    let before = store.reader().snapshot();
    store.start_relist();
    (0..200).for_each(|uid| assert!(put(&mut store, &mut rows, uid, 0).is_none()));
    assert_eq!(store.finish_relist(), 0);
    let after = store.reader().snapshot();
    assert!(before.blocks.iter().zip(&after.blocks).all(|(before, after)| Arc::ptr_eq(before, after)));
}

#[test]
fn an_abandoned_relist_leaves_the_old_generation() {
    let (mut store, mut rows) = (store(), rows());
    put_all(&mut store, &mut rows, 0..200, 0);
    store.start_relist();
    put_all(&mut store, &mut rows, 150..400, 1);
    store.abandon_relist();
    assert_eq!(store.len(), 200);
    put(&mut store, &mut rows, 5, 1);
    assert!(store.remove(&uid(6)));
    let mut objects: BTreeMap<_, _> = (0..200).map(|uid| (uid, 0)).collect();
    objects.insert(5, 1);
    objects.remove(&6);
    assert_eq!(sorted_series(&store.reader().snapshot()), expected(&objects));
}

#[test]
fn a_share_can_be_kept_without_a_new_list() {
    let (mut store, mut rows) = (store(), rows());
    put_all(&mut store, &mut rows, 0..200, 0);
    let shard = crate::shard::Shard::new(0, 2).unwrap();
    let gone = store.retain(|uid| shard.has(uid));
    let kept = (0..200).filter(|number| shard.has(&uid(*number))).map(|uid| (uid, 0)).collect();
    assert_eq!(store.len(), 200 - gone);
    assert_eq!(sorted_series(&store.reader().snapshot()), expected(&kept));
}

#[test]
fn families_that_are_not_wanted_are_not_written() {
    let mut wanted = vec![true; resource().families()];
    wanted[2] = false;
    let mut store = Store::of(resource(), &wanted);
    put(&mut store, &mut rows(), 1, 1);
    assert!(!text(&store.reader().snapshot()).contains("kube_job_info"));
}

#[test]
fn concurrent_scrapes_always_see_every_object() {
    let (mut store, mut rows) = (store(), rows());
    put_all(&mut store, &mut rows, 0..150, 0);
    let reader = store.reader();
    let scrapes = std::thread::spawn(move || {
        for _ in 0..50 {
            let infos = text(&reader.snapshot()).matches("\nkube_job_info{").count();
            assert_eq!(infos, 150);
        }
    });
    let mut generation = 0;
    while !scrapes.is_finished() {
        generation += 1;
        store.start_relist();
        put_all(&mut store, &mut rows, 0..150, generation);
        store.finish_relist();
        put_all(&mut store, &mut rows, 0..150, generation + 1);
    }
    scrapes.join().unwrap();
}

#[test]
fn what_is_packed_is_what_is_written() {
    for (objects, names) in [(0, 1), (3, 1), (WORTH_TELLING, 1), (300, 1), (300, 4000), (40, 4000)] {
        let (mut rows, mut stores) = (rows(), [store(), store()]);
        for uid in 0..objects {
            let name = format!("{}-{uid}", "n".repeat((uid * 7919) % names + 1));
            let (uid, labels) = (self::uid(uid), ["", r#""a":"\"","b":"\n\\""#, r#""a":"é\"x","zone":"z""#]);
            let object = format!(
                r#"{{"metadata":{{"name":"{name}","namespace":"ns","uid":"{uid}","labels":{{{}}}}},
                    "status":{{"active":{},"startTime":"2026-01-01T00:00:{:02}Z"}}}}"#,
                labels[name.len() % 3],
                name.len() % 4,
                name.len() % 60
            );
            resource().render(object.as_bytes(), &mut rows).unwrap();
            stores[usize::from(name.len() % 3 == 0)].put(&rows);
        }
        let snapshots = stores.map(|store| store.reader().snapshot());
        for format in [Format::Text, Format::OpenMetrics] {
            let mut plain = Vec::new();
            Snapshot::write_together_as(format, &snapshots, &mut plain, |_| true).unwrap();
            let (text, packed) = unpacked(format, &snapshots);
            assert!(text.as_bytes() == plain, "{objects} objects with names of up to {names} bytes");
            assert!(objects < 300 || packed < plain.len() / 8, "{packed} of {}", plain.len());
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(usize, usize),
    Remove(usize),
    Relist(Vec<(usize, usize)>),
    Abandon(Vec<(usize, usize)>),
}

fn step() -> impl Strategy<Value = Step> {
    let object = (0_usize..300, 0_usize..6);
    prop_oneof![
        20 => object.clone().prop_map(|(uid, generation)| Step::Put(uid, generation)),
        8 => (0_usize..300).prop_map(Step::Remove),
        1 => prop::collection::vec(object.clone(), 0..200).prop_map(Step::Relist),
        1 => prop::collection::vec(object, 0..200).prop_map(Step::Abandon),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_says_what_its_objects_say(steps in prop::collection::vec(step(), 1..200)) {
        let (mut store, mut rows) = (store(), rows());
        let mut objects = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(uid, generation) => {
                    put(&mut store, &mut rows, uid, generation);
                    objects.insert(uid, generation);
                }
                Step::Remove(number) => {
                    prop_assert_eq!(store.remove(&uid(number)), objects.remove(&number).is_some());
                }
                Step::Relist(all) => {
                    store.start_relist();
                    for (uid, generation) in &all {
                        put(&mut store, &mut rows, *uid, *generation);
                    }
                    store.finish_relist();
                    objects = all.into_iter().collect();
                }
                Step::Abandon(all) => {
                    store.start_relist();
                    for (uid, generation) in &all {
                        put(&mut store, &mut rows, *uid, *generation);
                    }
                    store.abandon_relist();
                }
            }
            prop_assert_eq!(store.len(), objects.len());
        }
        let snapshot = store.reader().snapshot();
        prop_assert_eq!(sorted_series(&snapshot), expected(&objects));
        prop_assert_eq!(snapshot.usage().series, expected(&objects).len());
        prop_assert_eq!(text(&snapshot), unpacked(Format::Text, &[snapshot]).0);
    }
}
