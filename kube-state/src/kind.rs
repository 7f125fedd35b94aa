//! The definition of a kind: its names at the API server, the parser of its objects, and its families. `resources`
//! lists those we know.

use std::{borrow::Cow, sync::Arc};

use kubernetes::request::collection;

use crate::{
    family::{Desc, Family, Gate},
    labels::AllowList,
    meta::View,
    rows::{Options, Rows},
};

/// Names of a kind at the API server, and its treatment here.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// In paths and flags: `pods`.
    pub plural: &'static str,
    /// In objects: `Pod`.
    pub kind: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether its families need nothing but metadata, so that the rest need not be fetched.
    pub metadata_only: bool,
    /// Whether it is watched when no kinds are named.
    pub default_on: bool,
}

impl About {
    /// A namespaced kind of the core group, watched by default: what a declaration starts from.
    pub const CORE: Self = Self {
        plural: "",
        kind: "",
        group: "",
        version: "v1",
        namespaced: true,
        metadata_only: false,
        default_on: true,
    };

    /// The path of the kind's objects below the server's address; in one namespace when one is named.
    pub fn path(&self, namespace: Option<&str>) -> String {
        collection(self.group, self.version, self.plural, namespace.filter(|_| self.namespaced))
    }

    /// The name of the kind's Go type, which is the `resource` label of upstream's own metrics.
    pub fn go_type(&self) -> String {
        format!("*{}.{}", self.version, self.kind)
    }
}

/// A kind: how to read its objects, and its families.
pub struct Kind<V: View> {
    /// Names of the kind.
    pub about: About,
    /// Labels that identify an object, on each of its series.
    pub identity: &'static [&'static str],
    /// Says their values, see [`Rows::identify`].
    pub identify: for<'v> fn(&V::Of<'v>, &mut Rows),
    /// Its families, in the order of the output.
    pub families: &'static [Family<V>],
}

/// A kind, whatever its view.
pub trait Resource: Send + Sync {
    /// Names of the kind.
    fn about(&self) -> &About;

    /// Labels that identify an object, on each of its series.
    fn identity(&self) -> &'static [&'static str];

    /// Number of families.
    fn families(&self) -> usize;

    /// The family at a place in the list.
    fn family(&self, index: usize) -> Option<&'static Desc>;

    /// Reads an object and puts its series into `rows`, whose former content goes. Fails when the text is not an
    /// object; what is odd inside of it only costs the families that read it, see [`Rows::spoiled`].
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject>;
}

/// Text that is not an object of the kind.
#[derive(Debug, thiserror::Error)]
pub enum BadObject {
    /// Something else than an object.
    #[error("what should be an object of {plural} is none")]
    NotAnObject {
        /// The kind it should be of.
        plural: Cow<'static, str>,
    },
    /// Not JSON.
    #[error("cannot read an object of {plural}")]
    Read {
        /// The kind it should be of.
        plural: Cow<'static, str>,
        /// What stands in the way.
        source: serde_json::Error,
    },
    /// Its name or another identifying field is not a string.
    #[error("an object of {plural} with uid {uid:?} has no readable name")]
    Unnamed {
        /// Its kind.
        plural: Cow<'static, str>,
        /// Its uid, as far as it has one.
        uid: String,
    },
    /// An object without a uid cannot be told from others.
    #[error("an object of {plural} has no uid")]
    NoUid {
        /// The kind it should be of.
        plural: Cow<'static, str>,
    },
    /// The definition of a custom kind, without group, kind or plural name.
    #[error("the definition {name:?} does not name its group, kind and plural")]
    Definition {
        /// Its name.
        name: String,
    },
}

impl<V: View> Resource for Kind<V> {
    fn about(&self) -> &About {
        &self.about
    }

    fn identity(&self) -> &'static [&'static str] {
        self.identity
    }

    fn families(&self) -> usize {
        self.families.len()
    }

    fn family(&self, index: usize) -> Option<&'static Desc> {
        self.families.get(index).map(|family| &family.desc)
    }

    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        let plural = || Cow::Borrowed(self.about.plural);
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(BadObject::NotAnObject { plural: plural() });
        }
        let view: V::Of<'_> =
            serde_json::from_slice(json).map_err(|source| BadObject::Read { plural: plural(), source })?;
        rows.start(V::meta(&view).uid.as_str(), self.identity);
        (self.identify)(&view, rows);
        if !rows.is_identified() {
            return Err(BadObject::Unnamed { plural: plural(), uid: rows.uid().to_owned() });
        }
        let options = Arc::clone(rows.shared_options());
        for ((index, family), wanted) in (0_u16..).zip(self.families).zip(&options.wanted) {
            if *wanted {
                rows.family(index, family.desc.labels, |rows| (family.emit)(&view, rows));
            }
        }
        Ok(())
    }
}

impl dyn Resource + '_ {
    /// The families, in the order of the output.
    pub fn descs(&self) -> impl Iterator<Item = &'static Desc> {
        (0..self.families()).filter_map(|index| self.family(index))
    }

    /// Options that show these labels and annotations and, if asked, the families that wait to be.
    pub fn options(&self, labels: AllowList, annotations: AllowList, opt_in: OptIn) -> Options {
        let is_wanted = |desc: &Desc| match desc.gate {
            Gate::OptIn => opt_in != OptIn::None,
            Gate::Ours => opt_in == OptIn::Ours,
            Gate::Open | Gate::Labels | Gate::Annotations => true,
        };
        Options { labels, annotations, wanted: self.descs().map(is_wanted).collect(), ..Options::NONE }
    }
}

/// Whether families that wait to be asked for are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptIn {
    /// None of them.
    None,
    /// All that kube-state-metrics has.
    All,
    /// Ours too.
    Ours,
}
