//! What pods cost: memory of the store, time of an update, time of a scrape. `cost [PODS]`, 10,000 by default; each
//! has two containers and an init container, which makes 64 series. Build with `--release`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use yagura_kube_state::{
    labels::AllowList,
    resources::{self, OptIn},
    rows::Rows,
    store::Store,
};

fn main() {
    let pods: usize = std::env::args().nth(1).and_then(|pods| pods.parse().ok()).unwrap_or(10_000);
    let resource = resources::find("pods").expect("invariant: pods are a kind");
    let options = resource.options(AllowList::default(), AllowList::default(), OptIn::None);
    let mut store = Store::of(resource, &options.wanted);
    let mut rows = Rows::new(Arc::new(options));
    let before = resident();

    let mut fill = Duration::ZERO;
    let mut object_bytes = 0;
    for number in 0..pods {
        let json = pod(number, 0);
        object_bytes += json.len();
        let start = Instant::now();
        resource.render(json.as_bytes(), &mut rows).expect("invariant: we made it");
        store.put(&rows);
        fill += start.elapsed();
    }
    let usage = store.reader().snapshot().usage();
    println!("pods {pods}, {} B of JSON each, {} series each", object_bytes / pods, usage.series / pods);
    println!("fill            {:>9.2?} in all, {:.2?} a pod", fill, fill / count(pods));
    println!(
        "store           {:>9} B a pod counted, {} B a pod resident",
        usage.bytes / pods,
        (resident() - before) / pods
    );

    let mut best = Duration::MAX;
    let mut length = 0;
    for _ in 0..7 {
        let mut sink = Length(0);
        let start = Instant::now();
        store.reader().snapshot().write(&mut sink, |_| true).expect("invariant: a sink takes all");
        best = best.min(start.elapsed());
        length = sink.0;
    }
    println!("scrape          {best:>9.2?} best of 7, {length} B");

    let updates = pods.min(10_000);
    let (mut parse, mut put, mut families) = (Duration::ZERO, Duration::ZERO, 0);
    for number in 0..updates {
        let json = pod(number * 7919 % pods, 1);
        let start = Instant::now();
        resource.render(json.as_bytes(), &mut rows).expect("invariant: we made it");
        let rendered = Instant::now();
        families += store.put(&rows).families;
        put += rendered.elapsed();
        parse += rendered - start;
    }
    let (parse, put) = (parse / count(updates), put / count(updates));
    println!(
        "update          {:>9.2?} = parse and render {parse:.2?} + store {put:.2?}, {} families changed",
        parse + put,
        families / updates
    );

    let start = Instant::now();
    store.start_relist();
    for number in 0..pods {
        let json = pod(number, usize::from(number % 10 > 0));
        resource.render(json.as_bytes(), &mut rows).expect("invariant: we made it");
        store.put(&rows);
    }
    let gone = store.finish_relist();
    println!(
        "relist          {:>9.2?}, {gone} gone, {} B a pod resident",
        start.elapsed(),
        (resident() - before) / pods
    );
}

fn count(pods: usize) -> u32 {
    u32::try_from(pods).unwrap_or(u32::MAX)
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// A pod as a busy cluster has it. The second generation has restarted once.
fn pod(number: usize, generation: usize) -> String {
    let (namespace, node, replica) = (number % 200, number % 500, number / 20);
    let hex = format!("{:016x}{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number);
    let uid = format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
    let name = format!("checkout-service-{replica:05}-7d9f8b6c5-{number:05x}");
    let restarted = if generation == 0 {
        String::from("{}")
    } else {
        String::from(
            r#"{"terminated":{"exitCode":137,"reason":"OOMKilled","startedAt":"2026-11-01T08:00:09Z","finishedAt":"2026-11-02T08:00:09Z"}}"#,
        )
    };
    let status = |container: &str, restarts: usize, last: &str| {
        format!(
            r#"{{"name":"{container}","state":{{"running":{{"startedAt":"2026-11-01T08:00:{:02}Z"}}}},"lastState":{last},"ready":true,"restartCount":{restarts},"image":"registry.example.com/team/{container}:v1.24.{replica}","imageID":"registry.example.com/team/{container}@sha256:{hex}{hex}","containerID":"containerd://{hex}{hex}","started":true}}"#,
            number % 60,
        )
    };
    let condition = |kind: &str| {
        format!(
            r#"{{"type":"{kind}","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-01T08:00:{:02}Z"}}"#,
            number % 60
        )
    };
    let container = |container: &str| {
        format!(
            r#"{{"name":"{container}","image":"registry.example.com/team/{container}:v1.24.{replica}","args":["--listen=:8080","--log=json"],"ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"env":[{{"name":"NODE","valueFrom":{{"fieldRef":{{"apiVersion":"v1","fieldPath":"spec.nodeName"}}}}}}],"resources":{{"limits":{{"cpu":"500m","memory":"512Mi"}},"requests":{{"cpu":"250m","memory":"256Mi"}}}},"volumeMounts":[{{"name":"kube-api-access","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}}"#
        )
    };
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","generateName":"checkout-service-{replica:05}-7d9f8b6c5-","namespace":"team-{namespace}","uid":"{uid}","resourceVersion":"{}","creationTimestamp":"2026-11-01T08:00:00Z","labels":{{"app":"checkout-service","pod-template-hash":"7d9f8b6c5"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"checkout-service-{replica:05}-7d9f8b6c5","uid":"{uid}","controller":true,"blockOwnerDeletion":true}}]}},"spec":{{"volumes":[{{"name":"kube-api-access","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}}],"defaultMode":420}}}}],"initContainers":[{}],"containers":[{},{}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"checkout","serviceAccount":"checkout","nodeName":"node-{node}.example.com","securityContext":{{}},"schedulerName":"default-scheduler","tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}},{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},"status":{{"phase":"Running","conditions":[{},{},{},{},{}],"hostIP":"10.1.{}.{}","podIP":"10.{}.{}.{}","podIPs":[{{"ip":"10.{}.{}.{}"}}],"startTime":"2026-11-01T08:00:01Z","initContainerStatuses":[{}],"containerStatuses":[{},{}],"qosClass":"Burstable"}}}}"#,
        number + generation,
        container("migrate"),
        container("checkout"),
        container("proxy"),
        condition("PodReadyToStartContainers"),
        condition("Initialized"),
        condition("Ready"),
        condition("ContainersReady"),
        condition("PodScheduled"),
        node / 250,
        node % 250,
        number / 62_500 + 2,
        number / 250 % 250,
        number % 250,
        number / 62_500 + 2,
        number / 250 % 250,
        number % 250,
        status("migrate", 0, "{}"),
        status("checkout", generation, &restarted),
        status("proxy", 0, "{}"),
    )
}
