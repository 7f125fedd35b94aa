//! Where a fault lives: names that it has to itself.

use crate::cluster::BOX_IMAGE;

/// The names that a fault has to itself.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its namespace, also its `cluster` where further instances of ours are scraped.
    pub(super) namespace: String,
    /// The team that owns what is in it.
    pub(super) team: String,
}

impl Place {
    pub(super) fn of(alert: &str) -> Self {
        let mut name = String::new();
        for c in alert.chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        }
        Self { namespace: format!("fault-{name}"), team: format!("crew-{name}") }
    }
}

/// Names of the fault's place put in for `${…}`.
pub(super) fn filled(text: &str, place: &Place) -> String {
    let gateway = "10.244.0.1";
    let mount = mount_point(place);
    [
        ("${namespace}", place.namespace.as_str()),
        ("${team}", &place.team),
        ("${image}", BOX_IMAGE),
        ("${gateway}", gateway),
        ("${mount}", &mount),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Where file systems of a fault are mounted; not below `/run`, which alerts leave out.
pub(super) fn mount_point(place: &Place) -> String {
    format!("/mnt/yagura-{}", place.namespace)
}
