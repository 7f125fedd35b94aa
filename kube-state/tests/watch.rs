//! The program before an API server that does everything an API server may do to its clients.
#![forbid(unsafe_code)]

mod lab;

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clap::Parser as _;
use kubernetes::{Access, Api, Credentials, Manner};
use lab::{Lab, PODS, get, pace, phase, pod, pod_in, put_pods, uid};
use testkit::wait_for;
use yagura_kube_state::{
    engine::{Engine, Part},
    flags::Flags,
    kind::BadObject,
    plan,
    rows::Rows,
    shard::Shard,
    watch::{Common, Ledger, Pace, Render, Target, Why},
};

const ONLY_PODS: &[&str] = &["--resources=pods"];

#[test]
fn a_streaming_list_becomes_the_watch() {
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..20)).ready();
    assert_eq!(lab.pods().len(), 20);
    lab.api.put(PODS, &uid(3), &pod(3, "Failed"));
    lab.sees(&phase(3, "Failed"));
    lab.api.remove(PODS, &uid(4));
    lab.loses("pod=\"pod-4\"");
    lab.api.put(PODS, &uid(99), &pod(99, "Pending"));
    lab.sees(&phase(99, "Pending"));
    assert_eq!((lab.api.requests(PODS), lab.api.requests("sendInitialEvents=true")), (1, 1), "one request in all");
    assert_eq!(lab.own_value(r#"kube_state_metrics_list_total{resource="*v1.Pod",result="success"}"#), 1.0);
    assert_eq!(lab.own_value(r#"yagura_kube_state_objects{kind="pods"}"#), 20.0);
}

#[test]
fn an_older_server_is_listed_in_pages() {
    for streams in [true, false] {
        // Either the version says that there are no streaming lists, or the refusal does.
        let lab = Lab::start(ONLY_PODS, |api| {
            put_pods(api, 0..50);
            api.behave(|behaviour| (behaviour.streams, behaviour.minor) = (false, if streams { 36 } else { 25 }));
        });
        let lab = lab.ready();
        assert_eq!(lab.pods().len(), 50);
        assert_eq!(lab.api.requests("continue="), 7, "pages of 7");
        assert_eq!(lab.api.requests("sendInitialEvents"), usize::from(streams));
        lab.api.put(PODS, &uid(3), &pod(3, "Failed"));
        lab.sees(&phase(3, "Failed"));
    }
}

#[test]
fn a_streaming_list_without_an_end_is_given_up_for_pages() {
    let pace = Pace { list_silence: Duration::from_millis(200), ..pace() };
    let lab = Lab::paced(pace, ONLY_PODS, |api| {
        put_pods(api, 0..3);
        api.behave(|behaviour| (behaviour.endless_lists, behaviour.bookmarks) = (true, Duration::from_mins(1)));
    });
    assert_eq!(lab.ready().pods().len(), 3);
}

#[test]
fn a_page_that_expires_starts_the_list_again() {
    let lab = Lab::start(ONLY_PODS, |api| {
        put_pods(api, 0..50);
        api.behave(|behaviour| (behaviour.streams, behaviour.expired_pages) = (false, 2));
    });
    assert_eq!(lab.ready().pods().len(), 50);
}

#[test]
fn an_expired_watch_lists_again_and_what_is_gone_goes() {
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..20)).ready();
    lab.api.go_down();
    lab.api.remove(PODS, &uid(7));
    lab.api.put(PODS, &uid(20), &pod(20, "Pending"));
    lab.api.compact();
    lab.api.come_up();
    lab.sees(&phase(20, "Pending"));
    assert_eq!(lab.pods().len(), 20);
    assert!(!lab.page().contains("pod=\"pod-7\""));
    assert_eq!(lab.own_value(r#"yagura_kube_state_lists_begun_total{kind="pods",reason="expired"}"#), 1.0);
}

#[test]
fn a_server_that_hangs_up_is_taken_up_again_where_it_was() {
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..5)).ready();
    for number in 10..15 {
        lab.api.hang_up();
        lab.api.put(PODS, &uid(number), &pod(number, "Running"));
        lab.sees(&phase(number, "Running"));
    }
    assert_eq!(lab.pods().len(), 10);
    assert_eq!(lab.api.requests("sendInitialEvents=true"), 1, "there was no other list");
}

#[test]
fn half_a_line_is_no_event() {
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..5)).ready();
    lab.api.behave(|behaviour| behaviour.half_lines = 1);
    lab.api.put(PODS, &uid(9), &pod(9, "Running"));
    lab.sees(&phase(9, "Running"));
    assert_eq!(lab.pods().len(), 6);
    assert_eq!(lab.own_value(r#"yagura_kube_state_unreadable_objects_total{kind="pods"}"#), 0.0);
}

#[test]
fn a_watch_that_is_cut_again_and_again_goes_on_as_soon_each_time() {
    // If each cut doubled the wait, the last would be half an hour.
    let pace = Pace { first_wait: Duration::from_millis(50), longest_wait: Duration::from_hours(1), ..pace() };
    let lab = Lab::paced(pace, ONLY_PODS, |api| put_pods(api, 0..5)).ready();
    for number in 10..26 {
        std::thread::sleep(2 * pace.first_wait);
        lab.api.behave(|behaviour| behaviour.half_lines = 1);
        lab.api.put(PODS, &uid(number), &pod(number, "Running"));
        lab.sees(&phase(number, "Running"));
    }
    assert_eq!(lab.api.requests("sendInitialEvents=true"), 1, "there was no other list");
}

#[test]
fn half_a_list_is_not_shown() {
    for streams in [true, false] {
        let lab = Lab::start(ONLY_PODS, |api| {
            put_pods(api, 0..100);
            api.behave(|behaviour| (behaviour.streams, behaviour.half_lines) = (streams, 2));
        });
        let saw = wait_for(lab::WAIT_TIMEOUT, || Some(lab.pods().len()).filter(|pods| *pods > 0));
        assert_eq!(saw, Some(100), "all or nothing");
    }
}

#[test]
fn a_slow_watch_is_as_good_as_a_fast_one() {
    let lab = Lab::start(ONLY_PODS, |api| {
        put_pods(api, 0..5);
        api.behave(|behaviour| behaviour.slow = Some(Duration::from_millis(2)));
    });
    let lab = lab.ready();
    lab.api.put(PODS, &uid(9), &pod(9, "Running"));
    lab.sees(&phase(9, "Running"));
    assert_eq!(lab.pods().len(), 6);
}

#[test]
fn a_thousand_events_a_second_all_arrive() {
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..100)).ready();
    let begin = Instant::now();
    for round in 0..3000 {
        let number = round % 100;
        lab.api.put(PODS, &uid(number), &pod(number, if round < 2900 { "Pending" } else { "Succeeded" }));
        let due = Duration::from_millis(u64::try_from(round).unwrap());
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    let rate = 3000.0 / begin.elapsed().as_secs_f64();
    lab.own_reaches(r#"yagura_kube_state_events_total{kind="pods",event="modified"}"#, 3000.0);
    let page = lab.page();
    assert!((0..100).all(|number| page.contains(&phase(number, "Succeeded"))));
    println!("{rate:.0} events a second");
}

#[test]
fn no_scrape_misses_a_series_while_the_objects_are_listed_again() {
    const PODS_IN_ALL: usize = 400;
    const SCRAPES: usize = 200;
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..PODS_IN_ALL)).ready();
    let (over, started) = (AtomicBool::new(false), Arc::new(Barrier::new(SCRAPES)));
    let relists = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let scrapers: Vec<_> = (0..SCRAPES)
            .map(|_| {
                let (started, lab) = (Arc::clone(&started), &lab);
                scope.spawn(move || {
                    started.wait();
                    let page = lab.page();
                    (lab::pods(&page).len(), page.lines().filter(|line| !line.starts_with('#')).count())
                })
            })
            .collect();
        scope.spawn(|| {
            while !over.load(Relaxed) {
                lab.api.compact();
                lab.api.hang_up();
                relists.fetch_add(1, Relaxed);
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        let pages: Vec<_> = scrapers.into_iter().map(|scraper| scraper.join().unwrap()).collect();
        over.store(true, Relaxed);
        let series = pages[0].1;
        assert!(pages.iter().all(|page| *page == (PODS_IN_ALL, series)), "{pages:?}");
    });
    lab.own_reaches(r#"yagura_kube_state_lists_begun_total{kind="pods",reason="expired"}"#, 1.0);
    println!("{SCRAPES} scrapes at once, {} lists begun", relists.load(Relaxed));
}

#[test]
fn series_stay_while_the_server_is_away_and_their_age_rises() {
    let lab = Lab::start(&["--resources=pods,nodes"], |api| put_pods(api, 0..20)).ready();
    let away = testkit::given("OUTAGE_SECONDS").and_then(|text| text.parse().ok()).unwrap_or(3_u64);
    lab.api.go_down();
    let age = r#"yagura_kube_state_age_seconds{kind="pods"}"#;
    let (begin, mut last) = (Instant::now(), 0.0);
    while begin.elapsed() < Duration::from_secs(away) {
        assert_eq!(lab.pods().len(), 20);
        let now = lab.own_value(age);
        assert!(now >= last, "{now} after {last}");
        last = now;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(last > Duration::from_secs(away - 1).as_secs_f64(), "{last} after {away} s");
    assert!(lab.own_value(r#"kube_state_metrics_watch_total{resource="*v1.Pod",result="error"}"#) > 0.0);
    assert_eq!(get(lab.own, "/readyz", "").0, 200, "what is there is served");
    lab.api.put(PODS, &uid(20), &pod(20, "Pending"));
    lab.api.come_up();
    lab.sees(&phase(20, "Pending"));
    assert!(lab.own_value(age) < last);
    assert_eq!(lab.api.requests("/api/v1/pods?sendInitialEvents=true"), 1, "nothing was listed again");
}

#[test]
fn a_bad_object_costs_its_family_and_nothing_else() {
    let lab = Lab::start(ONLY_PODS, |api| {
        put_pods(api, 0..3);
        api.put(PODS, &uid(5), &pod(5, "Running").replace(r#""cpu":"1""#, r#""cpu":{"so":"odd"}"#));
        api.put(PODS, "x", r#"{"metadata":{"name":7,"uid":"x"}}"#);
        api.put(PODS, "y", r#"["no","object"]"#);
    });
    let lab = lab.ready();
    for line in [r#"{"type":"ADDED","object":{"metadata":"#, "<html>", r#"{"type":"ODD","object":{}}"#] {
        lab.api.say(PODS, line);
    }
    lab.api.put(PODS, &uid(6), &pod(6, "Running"));
    lab.sees(&phase(6, "Running"));
    assert_eq!(lab.pods(), ["pod-0", "pod-1", "pod-2", "pod-5", "pod-6"]);
    let page = lab.page();
    let limits: Vec<_> = page.lines().filter(|line| line.starts_with("kube_pod_container_resource_limits{")).collect();
    assert!(limits.len() == 4 && !limits.iter().any(|line| line.contains("pod-5")), "{limits:?}");
    let spoiled =
        r#"yagura_kube_state_spoiled_families_total{kind="pods",family="kube_pod_container_resource_limits"}"#;
    assert_eq!(lab.own_value(spoiled), 1.0);
    assert_eq!(lab.own_value(r#"yagura_kube_state_unreadable_objects_total{kind="pods"}"#), 5.0);
}

#[test]
fn the_program_is_ready_when_all_kinds_are_there() {
    let lab = Lab::start(&["--resources=pods,nodes,jobs"], |api| {
        put_pods(api, 0..3);
        api.behave(|behaviour| {
            behaviour.refuse = Some(403);
            behaviour.missing.push("/apis/batch/v1/jobs".to_owned());
        });
    });
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(get(lab.own, "/readyz", "").0, 503);
    assert_eq!(get(lab.objects, "/healthz", "").0, 200);
    lab.api.behave(|behaviour| behaviour.refuse = None);
    let lab = lab.ready();
    assert_eq!(lab.pods().len(), 3);
    assert_eq!(
        lab.own_value(r#"yagura_kube_state_served{kind="jobs"}"#),
        0.0,
        "a kind that is not there is not waited for"
    );
    lab.api.behave(|behaviour| behaviour.missing.clear());
    lab.own_reaches(r#"yagura_kube_state_served{kind="jobs"}"#, 1.0);
}

/// Panics once, when the first list is whole.
struct PanicsOnce(AtomicBool, Arc<dyn Render>);

impl Render for PanicsOnce {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        self.1.render(json, rows)
    }

    fn family(&self, index: u16) -> &str {
        self.1.family(index)
    }

    fn listed(&self, _has: &dyn Fn(&str) -> bool, _moved: bool) {
        assert!(self.0.swap(true, Relaxed), "as asked for");
    }
}

#[test]
fn a_watch_that_panics_is_started_again_and_counted() {
    let api = testkit::ApiServer::start().unwrap();
    put_pods(&api, 0..5);
    let access = Access::Address { url: api.url(), credentials: Credentials::default() };
    let manner = Manner { agent: "lab", server: "the API server", answer: lab::WAIT_TIMEOUT, most: 1 << 20 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let common = Common {
        api: Api::open(&access, manner).unwrap(),
        shard: tokio::sync::watch::channel(Shard::WHOLE).1,
        turns: Arc::new(tokio::sync::Semaphore::new(1)),
        pace: pace(),
        streams: true,
        troubles: daemon::Troubles::default(),
    };
    let engine = Engine::new(common, Ledger::default(), daemon::CancellationToken::new());
    let flags = Flags::try_parse_from(["x", "--resources=pods"]).unwrap();
    let target = plan::targets(&flags.check().unwrap()).remove(0);
    let render = Arc::new(PanicsOnce(AtomicBool::new(false), Arc::clone(&target.render)));
    let target = Target { render, ..target };
    engine.apply(Part::Known, vec![target]);
    wait_for(lab::WAIT_TIMEOUT, || engine.ready().ok()).unwrap();
    let health = engine.health();
    assert_eq!((health[0].usage.objects, health[0].watches[0].trouble()), (5, None));
    assert_eq!(health[0].counts.begun[Why::Panicked as usize].load(Relaxed), 1);
}

#[test]
fn a_server_that_asks_for_patience_is_left_alone() {
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..5)).ready();
    for (code, retry_after, most) in [(429, Some(2), 2), (503, Some(2), 2), (503, None, usize::MAX)] {
        lab.api.behave(|behaviour| (behaviour.refuse, behaviour.retry_after) = (Some(code), retry_after));
        let before = lab.api.requests(PODS);
        lab.api.hang_up();
        wait_for(lab::WAIT_TIMEOUT, || (lab.api.requests(PODS) > before).then_some(())).unwrap();
        // Without being asked it would come back after a fifth of a second at the latest.
        std::thread::sleep(Duration::from_millis(1500));
        let asked = lab.api.requests(PODS) - before;
        assert!(asked <= most && (retry_after.is_some() || asked > 3), "{asked} times after {code} {retry_after:?}");
        lab.api.behave(|behaviour| (behaviour.refuse, behaviour.retry_after) = (None, None));
        lab.own_reaches(r#"yagura_kube_state_age_seconds{kind="pods"}"#, 0.0);
        let number = 100 + usize::from(code) + most.min(9);
        lab.api.put(PODS, &uid(number), &pod(number, "Running"));
        lab.sees(&phase(number, "Running"));
    }
}

fn refused(kind: &str, verb: &str) -> String {
    format!("yagura_kube_state_refused{{kind=\"{kind}\",verb=\"{verb}\"}}")
}

#[test]
fn a_kind_that_may_be_listed_and_not_watched_is_listed_again_and_again() {
    for streams in [true, false] {
        let lab = Lab::start(ONLY_PODS, |api| {
            put_pods(api, 0..20);
            api.behave(|behaviour| {
                behaviour.streams = streams;
                behaviour.forbidden.push(("watch", PODS.to_owned()));
            });
        });
        let lab = lab.ready();
        assert_eq!(lab.pods().len(), 20);
        lab.own_reaches(&refused("pods", "watch"), 1.0);
        assert_eq!(lab.own_value(&refused("pods", "list")), 0.0);
        lab.api.put(PODS, &uid(20), &pod(20, "Pending"));
        lab.api.remove(PODS, &uid(4));
        lab.sees(&phase(20, "Pending"));
        lab.loses("pod=\"pod-4\"");
        lab.own_reaches(r#"yagura_kube_state_lists_begun_total{kind="pods",reason="unwatched"}"#, 1.0);
        let (_, landing) = get(lab.own, "/", "Accept: text/html\r\n");
        assert!(landing.contains("cannot watch it"), "{landing}");
        lab.api.behave(|behaviour| behaviour.forbidden.clear());
        wait_for(lab::WAIT_TIMEOUT, || (lab.own_value(&refused("pods", "watch")) == 0.0).then_some(())).unwrap();
        let before = lab.api.requests("limit=") + lab.api.requests("sendInitialEvents");
        lab.api.put(PODS, &uid(21), &pod(21, "Pending"));
        lab.sees(&phase(21, "Pending"));
        assert_eq!(lab.api.requests("limit=") + lab.api.requests("sendInitialEvents"), before, "it is watched");
    }
}

#[test]
fn a_kind_that_may_not_be_listed_is_not_waited_for_and_healed_by_a_grant() {
    for streams in [true, false] {
        let lab = Lab::start(&["--resources=pods,nodes"], |api| {
            put_pods(api, 0..3);
            api.put("/api/v1/nodes", "n", r#"{"metadata":{"name":"n","uid":"n","resourceVersion":"0"}}"#);
            api.behave(|behaviour| {
                behaviour.streams = streams;
                behaviour.forbidden = ["list", "watch"].map(|verb| (verb, "/api/v1/nodes".to_owned())).into();
            });
        });
        let lab = lab.ready();
        lab.sees(&phase(1, "Running"));
        assert_eq!((lab.own_value(&refused("nodes", "list")), lab.own_value(&refused("pods", "list"))), (1.0, 0.0));
        assert_eq!(lab.own_value(r#"yagura_kube_state_synced{kind="nodes"}"#), 0.0, "an alert finds it");
        lab.api.behave(|behaviour| behaviour.forbidden.clear());
        lab.sees("kube_node_info{");
        assert_eq!(lab.own_value(&refused("nodes", "list")), 0.0);
        assert_eq!(lab.own_value(r#"yagura_kube_state_synced{kind="nodes"}"#), 1.0);
    }
}

#[test]
fn what_is_known_stays_when_a_right_is_taken_away() {
    let lab = Lab::start(ONLY_PODS, |api| put_pods(api, 0..5)).ready();
    lab.api.behave(|behaviour| behaviour.forbidden = ["list", "watch"].map(|verb| (verb, PODS.to_owned())).into());
    lab.api.hang_up();
    lab.own_reaches(&refused("pods", "list"), 1.0);
    assert_eq!((lab.pods().len(), get(lab.own, "/readyz", "").0), (5, 200));
    lab.api.remove(PODS, &uid(4));
    lab.api.behave(|behaviour| behaviour.forbidden.clear());
    lab.loses("pod=\"pod-4\"");
    assert_eq!(lab.own_value(&refused("pods", "list")), 0.0);
}

#[test]
fn what_is_not_needed_is_not_fetched() {
    const SECRETS: &str = "/api/v1/secrets";
    let secret = |name: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"a","uid":"{name}","resourceVersion":"0"}},"type":"kubernetes.io/tls","data":{{"key":"aGlkZGVu"}}}}"#
        )
    };
    for streams in [true, false] {
        let lab = Lab::start(&["--resources=secrets,configmaps"], |api| {
            api.behave(|behaviour| behaviour.streams = streams);
            api.put(SECRETS, "one", &secret("one"));
            api.put(
                "/api/v1/configmaps",
                "c",
                r#"{"metadata":{"name":"c","namespace":"a","uid":"c","resourceVersion":"0"},"data":{"k":"v"}}"#,
            );
        });
        let lab = lab.ready();
        lab.sees(r#"kube_secret_type{namespace="a",secret="one",type="kubernetes.io/tls"} 1"#);
        lab.sees(r#"kube_configmap_info{namespace="a",configmap="c"} 1"#);
        lab.api.put(SECRETS, "two", &secret("two"));
        lab.sees(r#"kube_secret_type{namespace="a",secret="two",type="kubernetes.io/tls"} 1"#);
        lab.api.remove(SECRETS, "one");
        lab.loses(r#"secret="one""#);
        lab.api.hang_up();
        lab.api.put(SECRETS, "three", &secret("three"));
        lab.sees(r#"secret="three""#);
    }
}

#[test]
fn namespaces_are_watched_one_by_one_and_shown_together() {
    let lab = Lab::start(&["--resources=pods", "--namespaces=a,b"], |api| {
        for (number, namespace) in [(1, "a"), (2, "b"), (3, "c")] {
            api.put(
                &format!("/api/v1/namespaces/{namespace}/pods"),
                &uid(number),
                &pod_in(namespace, number, "Running"),
            );
        }
    });
    let lab = lab.ready();
    assert_eq!(lab.pods(), ["pod-1", "pod-2"]);
    let page = lab.page();
    assert_eq!(page.matches("# TYPE kube_pod_info gauge").count(), 1);
    let infos: Vec<usize> =
        page.lines().enumerate().filter(|(_, line)| line.starts_with("kube_pod_info{")).map(|(at, _)| at).collect();
    assert_eq!(infos[0] + 1, infos[1], "a family's series stand together");
}

#[test]
fn shards_together_are_the_whole() {
    let fill = |api: &testkit::ApiServer| put_pods(api, 0..60);
    let whole = Lab::start(ONLY_PODS, fill).ready().pods();
    for total in 1..=10_u32 {
        let total_flag = format!("--total-shards={total}");
        let mut union = Vec::new();
        for ordinal in 0..total {
            let lab = Lab::start(&["--resources=pods", &total_flag, &format!("--shard={ordinal}")], fill).ready();
            assert_eq!(lab.own_value("kube_state_metrics_total_shards"), f64::from(total));
            let series = format!("kube_state_metrics_shard_ordinal{{shard_ordinal=\"{ordinal}\"}}");
            assert_eq!(lab.own_value(&series), f64::from(ordinal));
            union.extend(lab.pods());
        }
        union.sort();
        assert_eq!(union, whole, "of {total} shards");
    }
}

#[test]
fn a_pod_of_a_stateful_set_finds_its_shard_and_follows_the_sets_size() {
    const SETS: &str = "/apis/apps/v1/namespaces/monitoring/statefulsets";
    let set = |replicas: u32| {
        format!(
            r#"{{"metadata":{{"name":"ks","namespace":"monitoring","uid":"set","resourceVersion":"0"}},"spec":{{"replicas":{replicas}}}}}"#
        )
    };
    let lab = Lab::start(&["--resources=pods", "--pod=ks-1", "--pod-namespace=monitoring"], |api| {
        put_pods(api, 0..60);
        let me = r#"{"metadata":{"name":"ks-1","ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"ks","controller":true}]}}"#;
        api.answer("/api/v1/namespaces/monitoring/pods/ks-1", me);
        api.put(SETS, "set", &set(2));
    });
    let lab = lab.ready();
    let of_two = lab.pods();
    assert!(of_two.len() > 15 && of_two.len() < 45, "{}", of_two.len());
    lab.api.put(SETS, "set", &set(4));
    lab.own_reaches("kube_state_metrics_total_shards", 4.0);
    let of_four = wait_for(lab::WAIT_TIMEOUT, || Some(lab.pods()).filter(|pods| pods.len() < of_two.len())).unwrap();
    assert!(of_four.iter().all(|pod| of_two.contains(pod)), "growing only gives away");
    assert_eq!(lab.api.requests("/api/v1/pods?sendInitialEvents"), 1, "what stays is not listed again");
    lab.api.put(SETS, "set", &set(2));
    let again = wait_for(lab::WAIT_TIMEOUT, || (lab.pods() == of_two).then_some(()));
    assert!(again.is_some(), "{} are not {}", lab.pods().len(), of_two.len());
}

/// What the pods of a set show that begins with this number, and has three.
fn shown_by_set(start: u32, owner: &str) -> Vec<String> {
    const SETS: &str = "/apis/apps/v1/namespaces/monitoring/statefulsets";
    let mut shown = Vec::new();
    for ordinal in start..start + 3 {
        let lab = Lab::start(
            &["--resources=pods", &format!("--pod=ks-{ordinal}"), "--pod-namespace=monitoring"],
            |api| {
                put_pods(api, 0..60);
                let me = format!(r#"{{"metadata":{{"name":"ks-{ordinal}","ownerReferences":[{owner}]}}}}"#);
                api.answer(&format!("/api/v1/namespaces/monitoring/pods/ks-{ordinal}"), &me);
                let set = format!(
                    r#"{{"metadata":{{"name":"ks","namespace":"monitoring","uid":"set","resourceVersion":"0"}},"spec":{{"replicas":3,"ordinals":{{"start":{start}}}}}}}"#
                );
                api.put(SETS, "set", &set);
            },
        );
        let lab = lab.ready();
        assert_eq!(lab.own_value("kube_state_metrics_total_shards"), 3.0);
        shown.extend(lab.pods());
    }
    shown.sort();
    shown
}

#[test]
fn a_set_that_does_not_begin_with_0_shows_every_object_once() {
    let owner = r#"{"apiVersion":"apps/v1","kind":"StatefulSet","name":"ks","controller":true}"#;
    let mut all: Vec<String> = (0..60).map(|number| format!("pod-{number}")).collect();
    all.sort();
    for start in [0, 1, 7] {
        assert_eq!(shown_by_set(start, owner), all, "from {start}");
    }
}

#[test]
fn a_set_that_may_not_be_watched_is_listed_for_its_size() {
    const SETS: &str = "/apis/apps/v1/namespaces/monitoring/statefulsets";
    let set = |replicas: u32| {
        format!(
            r#"{{"metadata":{{"name":"ks","namespace":"monitoring","uid":"set","resourceVersion":"0"}},"spec":{{"replicas":{replicas}}}}}"#
        )
    };
    let lab = Lab::start(&["--resources=pods", "--pod=ks-0", "--pod-namespace=monitoring"], |api| {
        put_pods(api, 0..60);
        let me = r#"{"metadata":{"name":"ks-0","ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"ks","controller":true}]}}"#;
        api.answer("/api/v1/namespaces/monitoring/pods/ks-0", me);
        api.put(SETS, "set", &set(2));
        api.behave(|behaviour| behaviour.forbidden.push(("watch", SETS.to_owned())));
    });
    let lab = lab.ready();
    lab.api.put(SETS, "set", &set(5));
    lab.own_reaches("kube_state_metrics_total_shards", 5.0);
}

#[test]
fn a_query_leaves_kinds_out_and_formats_are_agreed_on() {
    let lab = Lab::start(&["--resources=pods,configmaps"], |api| {
        put_pods(api, 0..3);
        api.put(
            "/api/v1/configmaps",
            "c",
            r#"{"metadata":{"name":"c","namespace":"a","uid":"c","resourceVersion":"0"}}"#,
        );
    });
    let lab = lab.ready();
    let of = |query: &str, headers: &str| get(lab.objects, &format!("/metrics{query}"), headers).1;
    let both = of("", "");
    assert!(both.contains("kube_pod_info{") && both.contains("kube_configmap_info{") && !both.contains("# EOF"));
    assert!(!of("?resources=pods", "").contains("kube_configmap"));
    assert!(!of("?exclude_resources=pods", "").contains("kube_pod"));
    let open = of("", "Accept: application/openmetrics-text;version=1.0.0\r\n");
    assert!(open.ends_with("# EOF\n"));
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    assert_eq!(of("", &format!("Accept: {protobuf},text/plain;q=0.5\r\n")), both);
    expo::parse(both.as_bytes(), expo::Format::Text004).unwrap();
    let (_, own) = get(lab.own, "/metrics", "");
    expo::parse(own.as_bytes(), expo::Format::Text004).unwrap();
    assert!(own.contains("http_request_duration_seconds_count{handler=\"metrics\",method=\"get\"}"));
    assert!(own.contains("process_resident_memory_bytes "));
}

#[test]
fn a_reload_changes_what_it_says_and_leaves_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, "resources: [pods]\n").unwrap();
    let flag = format!("--config={}", file.display());
    let lab = Lab::start(&[&flag], |api| {
        put_pods(api, 0..50);
        api.put("/api/v1/nodes", "n", r#"{"metadata":{"name":"n","uid":"n","resourceVersion":"0"}}"#);
    });
    let lab = lab.ready();
    let reloaded =
        format!("kube_state_metrics_last_config_reload_successful{{type=\"config\",filename=\"{}\"}}", file.display());
    assert_eq!(lab.own_value(&reloaded), 1.0);
    std::fs::write(&file, "resources: [pods, nodes]\nmetric_denylist: [kube_pod_status_reason]\n").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Relaxed) {
                assert_eq!(lab.pods().len(), 50, "a gap");
            }
        });
        lab.sees("kube_node_info{");
        lab.loses("kube_pod_status_reason");
        done.store(true, Relaxed);
        watcher.join().unwrap();
    });
    std::fs::write(&file, "resources: [pods\n").unwrap();
    let failed = wait_for(lab::WAIT_TIMEOUT, || (lab.own_value(&reloaded) == 0.0).then_some(()));
    assert!(failed.is_some());
    assert!(lab.page().contains("kube_node_info{"), "the old configuration stays");
}

#[test]
fn only_who_the_api_server_allows_gets_the_metrics() {
    let lab = Lab::start(&["--resources=pods", "--auth-filter"], |api| {
        put_pods(api, 0..3);
        api.answer(
            "/apis/authentication.k8s.io/v1/tokenreviews",
            r#"{"status":{"authenticated":true,"user":{"username":"p","groups":["g"]}}}"#,
        );
        api.answer("/apis/authorization.k8s.io/v1/subjectaccessreviews", r#"{"status":{"allowed":false}}"#);
    });
    let lab = lab.ready();
    let status = |token: &str| get(lab.objects, "/metrics", &format!("Authorization: Bearer {token}\r\n")).0;
    let in_lower_case = || get(lab.objects, "/metrics", "authorization: bearer t\r\n").0;
    assert_eq!(get(lab.objects, "/metrics", "").0, 401);
    assert_eq!(status("t"), 403);
    lab.api.answer("/apis/authorization.k8s.io/v1/subjectaccessreviews", r#"{"status":{"allowed":true}}"#);
    assert_eq!((status("t"), in_lower_case()), (200, 200));
    lab.api.answer("/apis/authentication.k8s.io/v1/tokenreviews", r#"{"status":{"authenticated":false}}"#);
    assert_eq!((status("t"), status("u")), (200, 401), "what was allowed is for a while");
    assert_eq!(get(lab.objects, "/healthz", "").0, 200);
}

#[test]
fn a_limit_of_objects_holds_for_lists() {
    let lab = Lab::start(&["--resources=pods", "--object-limit=5"], |api| put_pods(api, 0..20)).ready();
    assert_eq!(lab.pods().len(), 5);
    assert_eq!(lab.own_value(r#"kube_state_metrics_list_objects_limit{resource="*v1.Pod"}"#), 5.0);
    lab.api.put(PODS, &uid(30), &pod(30, "Running"));
    lab.sees(&phase(30, "Running"));
}
