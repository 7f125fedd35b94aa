//! Lines of the protocol by which yagura-kube-state tells agents the peer at an address (`docs/decisions/0008`):
//! written there, read in the agent.

use std::{borrow::Cow, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::request::Query;

/// The version of the protocol.
pub const VERSION: u64 = 1;
/// What an answer is.
pub const CONTENT_TYPE: &str = "application/x-ndjson";
/// The id of the API server's record.
pub const API_SERVER: &str = "default/kubernetes";

/// What to ask a server for: what is new since the answer with this token; everything without one.
pub fn path(since: Option<&str>) -> String {
    Query::default().with("version", &VERSION.to_string()).with_some("since", since).of("/peers")
}

/// What a record is of. In this order where nothing else says one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A node.
    Node,
    /// A service.
    Service,
    /// The endpoints of the API server.
    ApiServer,
    /// A pod.
    Pod,
}

impl Kind {
    /// As records call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Service => "service",
            Self::ApiServer => "apiserver",
            Self::Pod => "pod",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Node, Self::Service, Self::ApiServer, Self::Pod].into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that has addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its namespace; empty for nodes.
    pub namespace: Cow<'a, str>,
    /// Its name; empty for the API server's endpoints.
    pub name: Cow<'a, str>,
    /// The kind of the workload that it belongs to, or that is alone behind it; empty if it is not known.
    pub workload_kind: Cow<'a, str>,
    /// That workload's name.
    pub workload: Cow<'a, str>,
    /// Whether it answers the cluster's questions for names.
    pub answers_dns: bool,
    /// Its addresses.
    pub addresses: Cow<'a, [IpAddr]>,
    /// Ports of the nodes' addresses that lead to it.
    pub node_ports: Cow<'a, [u16]>,
    /// Which ports of its addresses are its; all if none is named.
    pub ports: Cow<'a, [u16]>,
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// An answer begins.
    Begins {
        /// All is told anew.
        whole: bool,
    },
    /// A record is there.
    Set {
        /// What it is of.
        kind: Kind,
        /// Which one of its kind.
        id: Cow<'a, str>,
        /// What is told of it.
        record: Record<'a>,
    },
    /// A record is gone.
    Gone {
        /// What it was of.
        kind: Kind,
        /// Which one of its kind.
        id: Cow<'a, str>,
    },
    /// Something that we do not know, of the number of records. Is never written.
    Passed,
    /// The answer is whole.
    Ends {
        /// What to ask with next.
        token: Cow<'a, str>,
        /// How many records there were.
        records: u64,
    },
}

/// A line as it is on the wire: fields that are empty are left out, those that are not known are passed over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    /// The version, in the first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    workload_kind: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    workload: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    role: Cow<'a, str>,
    #[serde(skip_serializing_if = "<[IpAddr]>::is_empty")]
    addresses: Cow<'a, [IpAddr]>,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    node_ports: Cow<'a, [u16]>,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    ports: Cow<'a, [u16]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<End<'a>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct End<'a> {
    token: Cow<'a, str>,
    records: u64,
}

/// The `role` of what answers questions for names.
const DNS: &str = "dns";

impl Line<'static> {
    /// Reads a line; `None` when it is not of the protocol.
    pub fn read(text: &[u8]) -> Option<Self> {
        let line: Wire<'static> = serde_json::from_slice(text).ok()?;
        if let Some(version) = line.peers {
            return (version == VERSION).then_some(Self::Begins { whole: line.whole.unwrap_or_default() });
        }
        if let Some(End { token, records }) = line.end {
            return Some(Self::Ends { token, records });
        }
        let id = line.id;
        if let Some(gone) = line.gone {
            return Some(Kind::of(&gone).map_or(Self::Passed, |kind| Self::Gone { kind, id }));
        }
        let Some(kind) = Kind::of(&line.set?) else { return Some(Self::Passed) };
        let record = Record {
            namespace: line.namespace,
            name: line.name,
            workload_kind: line.workload_kind,
            workload: line.workload,
            answers_dns: line.role == DNS,
            addresses: line.addresses,
            node_ports: line.node_ports,
            ports: line.ports,
        };
        Some(Self::Set { kind, id, record })
    }
}

impl Line<'_> {
    /// Appends the line, with its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        let text = match self {
            Self::Begins { whole } => {
                serde_json::to_vec(&Wire { peers: Some(VERSION), whole: Some(*whole), ..Wire::default() })
            }
            Self::Set { kind, id, record } => serde_json::to_vec(&Wire {
                set: Some(kind.name().into()),
                id: Cow::Borrowed(id),
                namespace: Cow::Borrowed(&record.namespace),
                name: Cow::Borrowed(&record.name),
                workload_kind: Cow::Borrowed(&record.workload_kind),
                workload: Cow::Borrowed(&record.workload),
                role: if record.answers_dns { DNS } else { "" }.into(),
                addresses: Cow::Borrowed(&record.addresses),
                node_ports: Cow::Borrowed(&record.node_ports),
                ports: Cow::Borrowed(&record.ports),
                ..Wire::default()
            }),
            Self::Gone { kind, id } => {
                serde_json::to_vec(&Wire { gone: Some(kind.name().into()), id: Cow::Borrowed(id), ..Wire::default() })
            }
            Self::Ends { token, records } => {
                let end = End { token: Cow::Borrowed(token), records: *records };
                serde_json::to_vec(&Wire { end: Some(end), ..Wire::default() })
            }
            Self::Passed => return,
        };
        // Texts, numbers and addresses are JSON always.
        out.extend_from_slice(&text.unwrap_or_default());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_say_what_the_page_says() {
        assert_eq!(Line::read(br#"{"peers":1,"whole":true}"#), Some(Line::Begins { whole: true }));
        assert_eq!(Line::read(br#"{"peers":2}"#), None, "another version");
        let pod = br#"{"set":"pod","id":"6f","namespace":"shop","name":"web-x","workload_kind":"Deployment",
            "workload":"web","addresses":["10.0.3.7","fd00::7"],"colour":"red"}"#;
        let Some(Line::Set { kind, id, record }) = Line::read(pod) else { panic!("a record") };
        assert_eq!((kind, record.addresses.len()), (Kind::Pod, 2));
        assert_eq!((&*record.workload_kind, &*record.workload), ("Deployment", "web"));
        assert_eq!(Line::read(br#"{"gone":"pod","id":"6f"}"#), Some(Line::Gone { kind, id }));
        assert_eq!(Line::read(br#"{"set":"planet","id":"3"}"#), Some(Line::Passed));
        assert_eq!(
            Line::read(br#"{"end":{"token":"a-1","records":6}}"#),
            Some(Line::Ends { token: "a-1".into(), records: 6 })
        );
        for text in [&b""[..], b"{}", b"[]", br#"{"set":7}"#, br#"{"set":"pod","addresses":["x"]}"#] {
            assert_eq!(Line::read(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn what_is_empty_is_not_written() {
        let written = |line: Line<'_>| {
            let mut out = Vec::new();
            line.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(Line::Begins { whole: false }), "{\"peers\":1,\"whole\":false}\n");
        let addresses = ["192.168.0.2".parse().unwrap(), "FD00::0:1".parse().unwrap()];
        let record =
            Record { addresses: addresses.as_slice().into(), ports: [6443].as_slice().into(), ..Record::default() };
        assert_eq!(
            written(Line::Set { kind: Kind::ApiServer, id: API_SERVER.into(), record }),
            "{\"set\":\"apiserver\",\"id\":\"default/kubernetes\",\"addresses\":[\"192.168.0.2\",\"fd00::1\"],\"ports\":[6443]}\n"
        );
        assert_eq!(written(Line::Gone { kind: Kind::Pod, id: "6f".into() }), "{\"gone\":\"pod\",\"id\":\"6f\"}\n");
        assert_eq!(written(Line::Passed), "");
    }

    #[test]
    fn a_server_is_asked_for_what_is_new() {
        assert_eq!(path(None), "/peers?version=1");
        assert_eq!(path(Some("k3f9.1-18 2")), "/peers?version=1&since=k3f9.1-18%202");
    }

    fn record() -> impl Strategy<Value = Record<'static>> {
        let texts = proptest::array::uniform4(".{0,12}");
        let ports = || prop::collection::vec(any::<u16>(), 0..3);
        (texts, any::<bool>(), prop::collection::vec(any::<IpAddr>(), 0..3), ports(), ports()).prop_map(
            |([namespace, name, workload_kind, workload], answers_dns, addresses, node_ports, ports)| Record {
                namespace: namespace.into(),
                name: name.into(),
                workload_kind: workload_kind.into(),
                workload: workload.into(),
                answers_dns,
                addresses: addresses.into(),
                node_ports: node_ports.into(),
                ports: ports.into(),
            },
        )
    }

    fn line() -> impl Strategy<Value = Line<'static>> {
        let kind = || prop::sample::select(vec![Kind::Node, Kind::Service, Kind::ApiServer, Kind::Pod]);
        prop_oneof![
            any::<bool>().prop_map(|whole| Line::Begins { whole }),
            (kind(), ".{0,12}", record()).prop_map(|(kind, id, record)| Line::Set { kind, id: id.into(), record }),
            (kind(), ".{0,12}").prop_map(|(kind, id)| Line::Gone { kind, id: id.into() }),
            (".{0,12}", any::<u64>()).prop_map(|(token, records)| Line::Ends { token: token.into(), records }),
        ]
    }

    proptest! {
        #[test]
        fn what_one_end_writes_the_other_reads(line in line()) {
            let mut out = Vec::new();
            line.write(&mut out);
            prop_assert_eq!(out.iter().position(|byte| *byte == b'\n'), Some(out.len() - 1));
            prop_assert_eq!(Line::read(&out), Some(line));
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(text in "\\PC*") {
            let _ = Line::read(text.as_bytes());
        }
    }
}
