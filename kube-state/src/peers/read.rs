//! The parsed fields of pods, services, nodes and endpoint slices: addresses and names.

use std::net::IpAddr;

use kubernetes::lax::{Dict, Flag, Int, List, Sub, Text};
use serde::Deserialize;

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name {
    /// Empty for nodes.
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
}

/// A pod, a service or a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) name: Name,
    /// Empty where nobody can be met: then it is not told.
    pub(super) addresses: Box<[IpAddr]>,
    pub(super) node_ports: Box<[u16]>,
    pub(super) answers_dns: bool,
}

/// Endpoints of a service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) service: Name,
    /// Uids of pods.
    pub(super) pods: Box<[Box<str>]>,
    /// Kept for the API server's own service alone, whose endpoints are no pods.
    pub(super) addresses: Box<[IpAddr]>,
    pub(super) ports: Box<[u16]>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Object<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
    endpoints: List<Sub<SliceEndpoint<'v>>>,
    ports: List<Sub<Port>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Meta<'v> {
    name: Text<'v>,
    namespace: Text<'v>,
    uid: Text<'v>,
    labels: Dict<'v, Text<'v>>,
}

/// Of pods and of services.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    host_network: Flag,
    #[serde(rename = "clusterIP")]
    cluster_ip: Text<'v>,
    #[serde(rename = "clusterIPs")]
    cluster_ips: List<Text<'v>>,
    #[serde(rename = "externalIPs")]
    external_ips: List<Text<'v>>,
    ports: List<Sub<Port>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port {
    port: Int,
    node_port: Int,
}

/// Of pods, services and nodes.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    phase: Text<'v>,
    #[serde(rename = "podIP")]
    pod_ip: Text<'v>,
    #[serde(rename = "podIPs")]
    pod_ips: List<Sub<Ip<'v>>>,
    load_balancer: Sub<LoadBalancer<'v>>,
    addresses: List<Sub<NodeAddress<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct LoadBalancer<'v> {
    ingress: List<Sub<Ip<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Ip<'v> {
    ip: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct NodeAddress<'v> {
    #[serde(rename = "type")]
    kind: Text<'v>,
    address: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct SliceEndpoint<'v> {
    addresses: List<Text<'v>>,
    target_ref: Sub<Target<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Target<'v> {
    kind: Text<'v>,
    uid: Text<'v>,
}

fn object(json: &[u8]) -> Option<(String, Object<'_>)> {
    let object: Object<'_> = serde_json::from_slice(json).ok()?;
    let uid = Some(object.metadata.uid.as_str().to_owned()).filter(|uid| !uid.is_empty())?;
    Some((uid, object))
}

impl Object<'_> {
    fn endpoint(&self, addresses: Box<[IpAddr]>) -> Endpoint {
        let dns = self.metadata.labels.get("k8s-app").is_some_and(|app| *app == "kube-dns");
        Endpoint { name: self.metadata.name(), addresses, node_ports: Box::default(), answers_dns: dns }
    }
}

impl Meta<'_> {
    fn name(&self) -> Name {
        Name { namespace: self.namespace.as_str().into(), name: self.name.as_str().into() }
    }
}

/// A pod with its uid; `None` when the text is none. One on its host's network has no address of its own, and one that
/// has ended has none any more.
pub(super) fn pod(json: &[u8]) -> Option<(String, Endpoint)> {
    let (uid, pod) = object(json)?;
    let status = &pod.status;
    let has_own = !pod.spec.host_network.is_set() && status.phase != "Succeeded" && status.phase != "Failed";
    let all = status.pod_ips.iter().map(|entry| &entry.ip).chain([&status.pod_ip]);
    let endpoint = pod.endpoint(addresses(all.filter(|_| has_own)));
    Some((uid, endpoint))
}

/// A service with its uid.
pub(super) fn service(json: &[u8]) -> Option<(String, Endpoint)> {
    let (uid, service) = object(json)?;
    let spec = &service.spec;
    let balancers = service.status.load_balancer.ingress.iter().map(|entry| &entry.ip);
    let all = spec.cluster_ips.iter().chain([&spec.cluster_ip]).chain(&spec.external_ips).chain(balancers);
    let node_ports = ports(spec.ports.iter().map(|port| port.node_port));
    Some((uid, Endpoint { node_ports, ..service.endpoint(addresses(all)) }))
}

/// A node with its uid.
pub(super) fn node(json: &[u8]) -> Option<(String, Endpoint)> {
    let (uid, node) = object(json)?;
    let is_ip = |address: &&Sub<NodeAddress<'_>>| address.kind == "InternalIP" || address.kind == "ExternalIP";
    let all = node.status.addresses.iter().filter(is_ip).map(|address| &address.address);
    let endpoint = node.endpoint(addresses(all));
    Some((uid, Endpoint { answers_dns: false, ..endpoint }))
}

/// An endpoint slice with its uid.
pub(super) fn slice(json: &[u8]) -> Option<(String, Slice)> {
    let (uid, slice) = object(json)?;
    let name = slice.metadata.labels.get("kubernetes.io/service-name").map_or("", Text::as_str);
    let service = Name { namespace: slice.metadata.namespace.as_str().into(), name: name.into() };
    let is_pod = |endpoint: &&Sub<SliceEndpoint<'_>>| endpoint.target_ref.kind == "Pod";
    let pods = slice.endpoints.iter().filter(is_pod).map(|endpoint| endpoint.target_ref.uid.as_str().into());
    let pods = pods.collect();
    let is_api = service.is_api_server();
    let all = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses).filter(|_| is_api);
    let (addresses, ports) = (addresses(all), ports(slice.ports.iter().map(|port| port.port).filter(|_| is_api)));
    Some((uid, Slice { service, pods, addresses, ports }))
}

impl Name {
    /// Whether it is the service that the API server makes for itself.
    pub(super) fn is_api_server(&self) -> bool {
        (&*self.namespace, &*self.name) == ("default", "kubernetes")
    }
}

/// Each once, in the order in which they are given. What is no address, such as `None` for headless services, is left
/// out.
fn addresses<'t, 'v: 't>(texts: impl Iterator<Item = &'t Text<'v>>) -> Box<[IpAddr]> {
    let mut all: Vec<IpAddr> = Vec::new();
    for address in texts.filter_map(|text| text.as_str().parse().ok()) {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all.into()
}

fn ports(ports: impl Iterator<Item = Int>) -> Box<[u16]> {
    let mut all: Vec<u16> = Vec::new();
    for port in ports {
        if let Int::Is(port) = port
            && let Ok(port @ 1..) = u16::try_from(port)
            && !all.contains(&port)
        {
            all.push(port);
        }
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(addresses: &[IpAddr]) -> String {
        addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_pod_has_addresses_of_its_own_while_it_runs() {
        let addresses = |rest: &str| {
            let json = format!(r#"{{"metadata":{{"uid":"u","name":"p","namespace":"n"}},{rest}}}"#);
            joined(&pod(json.as_bytes()).unwrap().1.addresses)
        };
        let ips = r#""podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"},{"ip":"FD00::0:1"},{"ip":"x"}]"#;
        assert_eq!(addresses(&format!(r#""status":{{"phase":"Running",{ips}}}"#)), "10.0.0.1 fd00::1");
        assert_eq!(addresses(r#""status":{"podIP":"10.0.0.2"}"#), "10.0.0.2");
        assert_eq!(addresses(&format!(r#""status":{{"phase":"Succeeded",{ips}}}"#)), "");
        assert_eq!(addresses(&format!(r#""status":{{"phase":"Failed",{ips}}}"#)), "");
        assert_eq!(addresses(&format!(r#""spec":{{"hostNetwork":true}},"status":{{{ips}}}"#)), "");
    }

    #[test]
    fn a_service_is_met_at_several_addresses() {
        let json = r#"{"metadata":{"uid":"u","name":"dns","namespace":"n","labels":{"k8s-app":"kube-dns"}},
            "spec":{"clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1","fd00::a"],"externalIPs":["1.2.3.4"],
            "ports":[{"port":53,"nodePort":30053},{"port":53,"nodePort":0}]},
            "status":{"loadBalancer":{"ingress":[{"ip":"5.6.7.8"},{"hostname":"h"}]}}}"#;
        let (_, dns) = service(json.as_bytes()).unwrap();
        assert_eq!(joined(&dns.addresses), "10.96.0.1 fd00::a 1.2.3.4 5.6.7.8");
        assert_eq!((&*dns.node_ports, dns.answers_dns), (&[30_053][..], true));
        let headless = r#"{"metadata":{"uid":"u"},"spec":{"clusterIP":"None","clusterIPs":["None"]}}"#;
        assert!(service(headless.as_bytes()).unwrap().1.addresses.is_empty());
    }

    #[test]
    fn a_slice_says_which_pods_are_behind_a_service() {
        let json = r#"{"metadata":{"uid":"u","name":"db-1","namespace":"shop","labels":{"kubernetes.io/service-name":"db"}},
            "endpoints":[{"addresses":["10.0.0.1"],"targetRef":{"kind":"Pod","uid":"p1"}},{"addresses":["10.0.0.2"]}],
            "ports":[{"port":5432}]}"#;
        let (_, db) = slice(json.as_bytes()).unwrap();
        assert_eq!((&*db.service.name, db.pods.len(), db.addresses.len(), db.ports.len()), ("db", 1, 0, 0));
        let api = json.replace("\"shop\"", "\"default\"").replace(":\"db\"", ":\"kubernetes\"");
        let (_, api) = slice(api.as_bytes()).unwrap();
        assert_eq!((joined(&api.addresses), &*api.ports), ("10.0.0.1 10.0.0.2".to_owned(), &[5432][..]));
    }

    #[test]
    fn what_has_no_uid_is_passed_over() {
        for text in ["", "[]", "{}", r#"{"metadata":{"uid":7}}"#] {
            let text = text.as_bytes();
            assert!(pod(text).is_none() && service(text).is_none() && node(text).is_none() && slice(text).is_none());
        }
    }
}
