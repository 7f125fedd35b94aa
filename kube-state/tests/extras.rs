//! What kube-state-metrics does not have: off unless it is asked for.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod lab;

use lab::{Lab, PODS, phase, put_pods, uid};

#[test]
fn a_kind_is_watched_as_far_as_selectors_go() {
    let flags = ["--resources=pods,jobs", "--label-selector=pods=app in (a,b)", "--field-selector=*=metadata.name=x"];
    let lab = Lab::start(&flags, |_| {}).ready();
    let field = "fieldSelector=metadata.name%3Dx";
    assert_eq!(lab.api.requests(&format!("{PODS}?{field}&labelSelector=app%20in%20%28a%2Cb%29")), 1);
    assert_eq!(lab.api.requests(&format!("/apis/batch/v1/jobs?{field}&send")), 1);
}

#[test]
fn states_that_do_not_hold_can_be_left_out() {
    let all = Lab::start(&["--resources=pods"], |api| put_pods(api, 0..3)).ready().page();
    let lab = Lab::start(&["--resources=pods", "--drop-zero-states"], |api| put_pods(api, 0..3)).ready();
    let few = lab.page();
    assert_eq!(
        (all.matches("\nkube_pod_status_phase{").count(), few.matches("\nkube_pod_status_phase{").count()),
        (15, 3)
    );
    assert!(few.contains(&phase(1, "Running")));
    let left_out: Vec<&str> = all.lines().filter(|line| !few.contains(line)).collect();
    assert!(!left_out.is_empty() && left_out.iter().all(|line| line.ends_with(" 0")), "{left_out:?}");
    lab.api.put(PODS, &uid(1), &lab::pod(1, "Failed"));
    lab.sees(&phase(1, "Failed"));
    lab.loses(&phase(1, "Running"));
}
