//! Lines of the protocol by which yagura-kube-state tells addresses (`docs/decisions/0008`).

use std::net::IpAddr;

use serde::Deserialize;

/// A line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    /// The version, in the first line.
    peers: Option<u64>,
    whole: bool,
    set: Option<String>,
    gone: Option<String>,
    id: String,
    namespace: String,
    name: String,
    workload_kind: String,
    workload: String,
    role: String,
    addresses: Vec<IpAddr>,
    ports: Vec<u16>,
    node_ports: Vec<u16>,
    end: Option<End>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct End {
    token: String,
    records: u64,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An answer begins.
    Begins {
        /// All is told anew.
        whole: bool,
    },
    /// A record is there.
    Set(Record),
    /// A record is gone: its kind and id.
    Gone(Id),
    /// Something that we do not know, of the number of records.
    Passed,
    /// The answer is whole.
    Ends {
        /// What to ask with next.
        token: String,
        /// How many records there were.
        records: u64,
    },
}

/// Which record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(Kind, Box<str>);

/// What has addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Pod,
    Service,
    Node,
    ApiServer,
}

/// Something that has addresses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: Id,
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Kind and name of its workload; empty if it is not known.
    pub(super) workload: (String, String),
    pub(super) answers_names: bool,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ports: Vec<u16>,
    pub(super) node_ports: Vec<u16>,
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "pod" => Kind::Pod,
        "service" => Kind::Service,
        "node" => Kind::Node,
        "apiserver" => Kind::ApiServer,
        _ => return None,
    })
}

/// Reads a line; `None` when it is not of the protocol.
pub(super) fn read(text: &[u8]) -> Option<Said> {
    let line: Line = serde_json::from_slice(text).ok()?;
    if let Some(version) = line.peers {
        return (version == 1).then_some(Said::Begins { whole: line.whole });
    }
    if let Some(End { token, records }) = line.end {
        return Some(Said::Ends { token, records });
    }
    if let Some(gone) = line.gone {
        return Some(kind(&gone).map_or(Said::Passed, |kind| Said::Gone(Id(kind, line.id.into()))));
    }
    let set = line.set?;
    let Some(kind) = kind(&set) else { return Some(Said::Passed) };
    Some(Said::Set(Record {
        id: Id(kind, line.id.into()),
        kind,
        namespace: line.namespace,
        name: line.name,
        workload: (line.workload_kind, line.workload),
        answers_names: line.role == "dns",
        addresses: line.addresses,
        ports: line.ports,
        node_ports: line.node_ports,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_what_the_page_says() {
        assert_eq!(read(br#"{"peers":1,"whole":true}"#), Some(Said::Begins { whole: true }));
        assert_eq!(read(br#"{"peers":2}"#), None, "another version");
        let pod = br#"{"set":"pod","id":"6f","namespace":"shop","name":"web-x","workload_kind":"Deployment",
            "workload":"web","addresses":["10.0.3.7","fd00::7"],"colour":"red"}"#;
        let Some(Said::Set(record)) = read(pod) else { panic!("a record") };
        assert_eq!((record.kind, record.addresses.len()), (Kind::Pod, 2));
        assert_eq!(record.workload, ("Deployment".to_owned(), "web".to_owned()));
        assert_eq!(read(br#"{"gone":"pod","id":"6f"}"#), Some(Said::Gone(record.id)));
        assert_eq!(read(br#"{"set":"planet","id":"3"}"#), Some(Said::Passed));
        assert_eq!(
            read(br#"{"end":{"token":"a-1","records":6}}"#),
            Some(Said::Ends { token: "a-1".into(), records: 6 })
        );
        for text in [&b""[..], b"{}", b"[]", br#"{"set":7}"#, br#"{"set":"pod","addresses":["x"]}"#] {
            assert_eq!(read(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
