//! The target of a watch, and how its objects are rendered.

use std::sync::Arc;

use kubernetes::Query;

use crate::{
    kind::{BadObject, Resource},
    rows::{Options, Rows},
    store::Head,
};

/// Renders objects, and is told of their removal and of lists.
pub trait Render: Send + Sync {
    /// Reads an object and puts its series into `rows`, whose former content goes.
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject>;

    /// The name of the family that rows call by this number.
    fn family(&self, index: u16) -> &str;

    /// An object that was rendered is gone. This is the last that was seen of it.
    fn gone(&self, _json: &[u8], _uid: &str) {}

    /// A list begins; with `moved`, because other objects are ours now.
    fn lists(&self, _moved: bool) {}

    /// A list is whole: what was rendered and `has` does not know is gone, or, when `moved`, may be another shard's.
    fn listed(&self, _has: &dyn Fn(&str) -> bool, _moved: bool) {}

    /// Whether the server is known to have the kind. Then it is asked again soon when it denies that.
    fn is_certain(&self) -> bool {
        false
    }
}

/// A kind that we know.
#[derive(Clone, Copy)]
pub struct Known(pub &'static dyn Resource);

impl Render for Known {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        self.0.render(json, rows)
    }

    fn family(&self, index: u16) -> &str {
        self.0.family(index.into()).map_or("", |desc| desc.name)
    }
}

/// The part of the objects that is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All.
    Whole,
    /// Metadata only.
    Metadata,
    /// Metadata, and the columns that people see.
    Table,
}

impl Form {
    /// The `Accept` header of a list.
    pub const fn accept_list(self) -> &'static str {
        match self {
            Self::Whole => "application/json",
            Self::Metadata => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Self::Table => "application/json;as=Table;g=meta.k8s.io;v=v1",
        }
    }

    /// The `Accept` header of a watch.
    pub const fn accept_watch(self) -> &'static str {
        match self {
            Self::Whole => "application/json",
            Self::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Self::Table => "application/json;as=Table;g=meta.k8s.io;v=v1",
        }
    }

    /// The key of a list's objects.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Whole | Self::Metadata => "items",
            Self::Table => "rows",
        }
    }

    /// As a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole objects",
            Self::Metadata => "metadata only",
            Self::Table => "metadata and type",
        }
    }
}

/// A list of objects to watch.
#[derive(Clone)]
pub struct Target {
    /// Plural name of the kind, which is how requests and our own metrics call it. For custom kinds it has the group.
    pub kind: Arc<str>,
    /// Name of the kind in upstream's own metrics.
    pub go_type: Arc<str>,
    /// Path of the objects, below the server's address.
    pub path: String,
    /// The part of the objects that is requested.
    pub form: Form,
    /// Field selector.
    pub fields: Option<String>,
    /// Label selector.
    pub labels: Option<String>,
    /// Families, in the order of the output; those that are `None` are not written.
    pub heads: Arc<[Option<Head>]>,
    /// Renders objects, and is told of their removal and of lists.
    pub render: Arc<dyn Render>,
    /// Options of the rows.
    pub options: Arc<Options>,
    /// The most objects that a list takes; all when `None`.
    pub limit: Option<u64>,
    /// Whether a list may be of what the server has at hand, which may be old.
    pub from_cache: bool,
    /// Whether each shard has all of it.
    pub unsharded: bool,
    /// Says what else the rows depend on. Two targets of one path whose [`Target::fingerprint`]s are the same give the
    /// same series.
    pub extra: String,
}

impl Target {
    /// The parameters that say which objects.
    pub fn query(&self) -> Query {
        let query = Query::default().with_some("fieldSelector", self.fields.as_deref());
        query.with_some("labelSelector", self.labels.as_deref())
    }

    /// Everything that the watch depends on, as one text.
    pub fn fingerprint(&self) -> String {
        let Self { path, form, fields, labels, heads, options, limit, from_cache, extra, .. } = self;
        format!("{path} {form:?} {fields:?} {labels:?} {heads:?} {options:?} {limit:?} {from_cache} {extra}")
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("kind", &self.kind).field("path", &self.path).finish_non_exhaustive()
    }
}
