//! Pods as they are measured with: two containers and an init container, 64 series.
fn hex(number: usize) -> String {
    format!("{:016x}{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number)
}

/// The uid of a pod.
pub(crate) fn uid(number: usize) -> String {
    let hex = hex(number);
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// A pod as a busy cluster has it. The second generation has restarted once.
pub(crate) fn pod(number: usize, generation: usize) -> String {
    let (namespace, node, replica) = (number % 200, number % 500, number / 20);
    let (hex, uid) = (hex(number), uid(number));
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
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","generateName":"checkout-service-{replica:05}-7d9f8b6c5-","namespace":"team-{namespace}","uid":"{uid}","resourceVersion":"0","creationTimestamp":"2026-11-01T08:00:00Z","labels":{{"app":"checkout-service","pod-template-hash":"7d9f8b6c5"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"checkout-service-{replica:05}-7d9f8b6c5","uid":"{uid}","controller":true,"blockOwnerDeletion":true}}]}},"spec":{{"volumes":[{{"name":"kube-api-access","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}}],"defaultMode":420}}}}],"initContainers":[{}],"containers":[{},{}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"checkout","serviceAccount":"checkout","nodeName":"node-{node}.example.com","securityContext":{{}},"schedulerName":"default-scheduler","tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}},{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},"status":{{"phase":"Running","conditions":[{},{},{},{},{}],"hostIP":"10.1.{}.{}","podIP":"10.{}.{}.{}","podIPs":[{{"ip":"10.{}.{}.{}"}}],"startTime":"2026-11-01T08:00:01Z","initContainerStatuses":[{}],"containerStatuses":[{},{}],"qosClass":"Burstable"}}}}"#,
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
