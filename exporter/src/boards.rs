//! Addresses of dashboards and alerts about this node and its workloads, for the HTML pages.

use daemon::WebLinks;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Boards by their uid: that of the whole cluster, that of a node, that of a workload.
const CLUSTER: &str = "yagura-cluster";
const NODE: &str = "yagura-node";
const WORKLOAD: &str = "yagura-workload";

/// All but what RFC 3986 lets stand for itself.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where people find what Prometheus has of this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Boards {
    links: WebLinks,
    node: String,
}

impl Boards {
    /// The servers of the configuration; `node` is the value of the label `node` that scrapes attach.
    pub(crate) fn new(links: &WebLinks, node: &str) -> Self {
        Self { links: links.clone(), node: node.to_owned() }
    }

    /// The board of the whole cluster.
    pub(crate) fn cluster(&self) -> Option<String> {
        self.links.grafana(&format!("/d/{CLUSTER}"))
    }

    /// The board of this node.
    pub(crate) fn node(&self) -> Option<String> {
        self.links.grafana(&format!("/d/{NODE}?var-node={}", escaped(&self.node)))
    }

    /// The board of a workload.
    pub(crate) fn workload(&self, namespace: &str, workload: &str) -> Option<String> {
        let [namespace, workload] = [namespace, workload].map(escaped);
        self.links.grafana(&format!("/d/{WORKLOAD}?var-namespace={namespace}&var-workload={workload}"))
    }

    /// All alerts, where people silence them.
    pub(crate) fn alerts(&self) -> Option<String> {
        self.links.alertmanager("/#/alerts")
    }

    /// Alerts on a workload.
    pub(crate) fn alerts_on(&self, namespace: &str, workload: &str) -> Option<String> {
        let filter = format!("{{namespace={namespace:?},workload={workload:?}}}");
        self.links.alertmanager(&format!("/#/alerts?filter={}", escaped(&filter)))
    }

    /// Rules, and which of them fire.
    pub(crate) fn rules(&self) -> Option<String> {
        self.links.prometheus("/alerts")
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_is_one_of_the_set_and_has_the_variables() {
        for (uid, variables) in [(CLUSTER, &[][..]), (NODE, &["node"]), (WORKLOAD, &["namespace", "workload"])] {
            let name = uid.trim_start_matches("yagura-");
            let file = format!("{}/../dashboards/grafana/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let board: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            assert_eq!(board["uid"], uid);
            let list = board["templating"]["list"].as_array().unwrap();
            for variable in variables {
                assert!(list.iter().any(|one| one["name"] == *variable), "{uid} has no variable {variable}");
            }
        }
    }

    #[test]
    fn addresses_name_what_they_are_about() {
        let links = WebLinks {
            grafana: "https://g.example/grafana/".to_owned(),
            alertmanager: "http://a.example:9093".to_owned(),
            prometheus: String::new(),
        };
        let boards = Boards::new(&links, "node 1");
        assert_eq!(boards.node().unwrap(), "https://g.example/grafana/d/yagura-node?var-node=node%201");
        let workload = boards.workload("shop", "a&b").unwrap();
        assert_eq!(workload, "https://g.example/grafana/d/yagura-workload?var-namespace=shop&var-workload=a%26b");
        let alerts = boards.alerts_on("shop", "web").unwrap();
        let filter = "%7Bnamespace%3D%22shop%22%2Cworkload%3D%22web%22%7D";
        assert_eq!(alerts, format!("http://a.example:9093/#/alerts?filter={filter}"));
        assert_eq!(boards.rules(), None);
        assert_eq!(Boards::default().workload("shop", "web"), None);
    }
}
