//! Declarations of families. A family is declared where it is computed: in its kind's file, in the kind's list, whose
//! order is the order of the output.

use metric::{FamilyEntry, LabelEntry, UnitName};

use crate::{meta::View, rows::Rows};

/// Type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only rises while the object lives.
    Counter,
    /// Distribution of observed values.
    Histogram,
}

impl Kind {
    /// As the exposition formats spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

impl From<Kind> for metric::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Gauge => Self::Gauge,
            Kind::Counter => Self::Counter,
            Kind::Histogram => Self::Histogram,
        }
    }
}

/// Stability of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// May change or go with any release.
    Alpha,
    /// Name, type and labels stay.
    Stable,
}

/// Options without which a family has no rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing.
    Open,
    /// A label allowlist for its kind.
    Labels,
    /// An annotation allowlist for its kind.
    Annotations,
    /// To be named in the opt-in list.
    OptIn,
    /// The same, and kube-state-metrics does not have it.
    Ours,
}

/// A family, without the code that computes it.
#[derive(Clone, Copy, Debug)]
pub struct Desc {
    /// Full name, as on the wire.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Stability of the family.
    pub stability: Stability,
    /// Since when another family should be used.
    pub deprecated_since: Option<&'static str>,
    /// Labels after those that identify the object, in wire order. Families whose labels come from the object
    /// (`label_*`) or that have more than one shape say so in their help.
    pub labels: &'static [&'static str],
    /// Labels that a sample of another shape has instead of some of these.
    pub other_labels: &'static [&'static str],
    /// When it has rows.
    pub gate: Gate,
}

impl Desc {
    /// The declaration with these labels, as the catalogue shows it.
    pub fn entry<'a>(&self, labels: impl Iterator<Item = &'a &'static str>) -> FamilyEntry {
        FamilyEntry {
            name: self.name.to_owned(),
            kind: self.kind.into(),
            unit: UnitName::of(self.name).suffix().to_owned(),
            help: self.help.to_owned(),
            endpoint: "/metrics".to_owned(),
            named_by: None,
            labels: labels
                .chain(self.other_labels)
                .map(|name| LabelEntry::open(name, "objects of the cluster"))
                .collect(),
        }
    }

    /// Appends the `# HELP` and `# TYPE` lines.
    pub fn push_header(&self, out: &mut Vec<u8>) {
        let parts = [
            "# HELP ",
            self.name,
            " ",
            if self.stability == Stability::Stable { "[STABLE] " } else { "" },
            if self.deprecated_since.is_some() { "(Deprecated since " } else { "" },
            self.deprecated_since.unwrap_or(""),
            if self.deprecated_since.is_some() { ") " } else { "" },
            self.help,
            "\n# TYPE ",
            self.name,
            " ",
            self.kind.name(),
            "\n",
        ];
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// A family of the kind that `V` views.
pub struct Family<V: View> {
    /// Its declaration.
    pub desc: Desc,
    /// Puts an object's rows.
    pub emit: for<'v> fn(&V::Of<'v>, &mut Rows),
}

impl<V: View> Family<V> {
    /// A gauge. Its labels follow those that identify the object.
    pub const fn gauge(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        emit: for<'v> fn(&V::Of<'v>, &mut Rows),
    ) -> Self {
        let desc = Desc {
            name,
            help,
            kind: Kind::Gauge,
            stability: Stability::Alpha,
            deprecated_since: None,
            labels,
            other_labels: &[],
            gate: Gate::Open,
        };
        Self { desc, emit }
    }

    /// A counter.
    pub const fn counter(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        emit: for<'v> fn(&V::Of<'v>, &mut Rows),
    ) -> Self {
        let mut family = Self::gauge(name, help, labels, emit);
        family.desc.kind = Kind::Counter;
        family
    }

    /// The family of a kind's labels: one row an object, value 1.
    pub const fn labels(name: &'static str) -> Self {
        let help = "Kubernetes labels of the object, those on the allowlist, each as a label_<key>.";
        let mut family = Self::gauge(name, help, &[], |view, rows| rows.allowed_labels(V::meta(view)));
        family.desc.gate = Gate::Labels;
        family
    }

    /// The family of a kind's annotations: one row an object, value 1.
    pub const fn annotations(name: &'static str) -> Self {
        let help = "Kubernetes annotations of the object, those on the allowlist, each as an annotation_<key>.";
        let mut family = Self::gauge(name, help, &[], |view, rows| rows.allowed_annotations(V::meta(view)));
        family.desc.gate = Gate::Annotations;
        family
    }

    /// The family of creation times.
    pub const fn created(name: &'static str) -> Self {
        let help = "When the object was created, in seconds since the Unix epoch.";
        Self::gauge(name, help, &[], |view, rows| rows.number(V::meta(view).created()))
    }

    /// The family of deletion times.
    pub const fn deleted(name: &'static str) -> Self {
        let help =
            "When deletion of the object was asked for, in seconds since the Unix epoch; only while it is going.";
        Self::gauge(name, help, &[], |view, rows| rows.number(V::meta(view).deleted()))
    }

    /// The family of generations.
    pub const fn generation(name: &'static str) -> Self {
        let help = "Number that grows with each change of what is asked for.";
        Self::gauge(name, help, &[], |view, rows| rows.number(V::meta(view).generation))
    }

    /// The family of resource versions.
    pub const fn resource_version(name: &'static str) -> Self {
        let help = "Number that changes with each write of the object, where the server's versions are numbers.";
        Self::gauge(name, help, &[], |view, rows| rows.number(V::meta(view).resource_version()))
    }

    /// The family of owners, with their role.
    pub const fn owner(name: &'static str) -> Self {
        let help = "What the object belongs to, one row an owner; one row with empty labels when there is none.";
        Self::gauge(name, help, &["owner_kind", "owner_name", "owner_is_controller"], |view, rows| {
            rows.owners(V::meta(view));
        })
    }

    /// The same, with labels that a sample of another shape has instead of some of its own.
    #[must_use]
    pub const fn or_with(mut self, labels: &'static [&'static str]) -> Self {
        self.desc.other_labels = labels;
        self
    }

    /// The same, with the promise that it stays.
    #[must_use]
    pub const fn stable(mut self) -> Self {
        self.desc.stability = Stability::Stable;
        self
    }

    /// The same, to be replaced by another.
    #[must_use]
    pub const fn deprecated_since(mut self, version: &'static str) -> Self {
        self.desc.deprecated_since = Some(version);
        self
    }

    /// The same, only when asked for, and none of kube-state-metrics'.
    #[must_use]
    pub const fn ours(mut self) -> Self {
        self.desc.gate = Gate::Ours;
        self
    }

    /// The same, only when asked for.
    #[must_use]
    pub const fn opt_in(mut self) -> Self {
        self.desc.gate = Gate::OptIn;
        self
    }
}
