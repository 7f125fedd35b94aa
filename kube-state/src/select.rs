//! Filters of kinds, families, labels and annotations, in the notations of kube-state-metrics.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::{
    family::{Desc, Gate},
    kind::Resource,
    labels::AllowList,
    resources,
    rows::Options,
};

/// Steps after which a pattern with look-around is given up: some patterns take exponential time.
const MOST_STEPS: usize = 1_000_000;

/// Selected kinds, families, labels and annotations.
#[derive(Clone, Debug)]
pub struct Selection {
    resources: BTreeSet<String>,
    families: Families,
    opt_in: Vec<regex::Regex>,
    labels: AllowLists,
    annotations: AllowLists,
    local: TimeZone,
    without_zeros: bool,
}

/// Filter of families: patterns match anywhere in a name and support look-around.
#[derive(Clone, Debug, Default)]
pub enum Families {
    /// All.
    #[default]
    All,
    /// Those that match a pattern.
    Only(Vec<fancy_regex::Regex>),
    /// Those that match none.
    Without(Vec<fancy_regex::Regex>),
}

/// Errors in a selection.
#[derive(Debug, thiserror::Error)]
pub enum BadSelection {
    /// A kind of a name that we do not know.
    #[error("kind {name:?} is not known; there are {known}")]
    UnknownKind {
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// Both lists of families are given.
    #[error("a list of allowed and one of denied families cannot both be given")]
    AllowAndDeny,
    /// A pattern that is none.
    #[error("cannot read the pattern {pattern:?}")]
    Pattern {
        /// As given.
        pattern: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An allowlist that is none.
    #[error("cannot read the allowlist {list:?}: it is written kind=[key,other-key],other-kind=[*]")]
    AllowList {
        /// As given.
        list: String,
    },
    /// A selector that is none, or a second one for a kind.
    #[error("cannot read the selector {text:?}: it is written kind=selector, once a kind")]
    Selector {
        /// As given.
        text: String,
    },
    /// A key with more than one `*`.
    #[error("the key {key:?} of an allowlist has more than one *")]
    ManyStars {
        /// As given.
        key: String,
    },
}

impl Families {
    /// Reads the patterns of the two lists, of which one must be empty.
    pub fn new<S: AsRef<str>>(allow: &[S], deny: &[S]) -> Result<Self, BadSelection> {
        match (allow.is_empty(), deny.is_empty()) {
            (true, true) => Ok(Self::All),
            (false, true) => Ok(Self::Only(patterns(allow)?)),
            (true, false) => Ok(Self::Without(patterns(deny)?)),
            (false, false) => Err(BadSelection::AllowAndDeny),
        }
    }

    /// The patterns that find none of these names.
    pub fn idle(&self, names: &[&str]) -> Vec<&str> {
        let patterns: &[fancy_regex::Regex] = match self {
            Self::All => &[],
            Self::Only(patterns) | Self::Without(patterns) => patterns,
        };
        let is_idle = |pattern: &&fancy_regex::Regex| !names.iter().any(|name| pattern.is_match(name).unwrap_or(true));
        patterns.iter().filter(is_idle).map(fancy_regex::Regex::as_str).collect()
    }

    /// Whether a family is kept. One whose name a pattern takes too long on is not.
    pub fn has(&self, name: &str) -> bool {
        let any = |patterns: &[fancy_regex::Regex]| {
            patterns.iter().try_fold(false, |found, pattern| Ok(found || pattern.is_match(name)?))
        };
        let kept: Result<bool, fancy_regex::Error> = match self {
            Self::All => Ok(true),
            Self::Only(patterns) => any(patterns),
            Self::Without(patterns) => any(patterns).map(|found| !found),
        };
        kept.unwrap_or(false)
    }
}

fn patterns<S: AsRef<str>>(texts: &[S]) -> Result<Vec<fancy_regex::Regex>, BadSelection> {
    let read = |text: &S| {
        let builder = fancy_regex::RegexBuilder::new(text.as_ref()).backtrack_limit(MOST_STEPS).build();
        builder.map_err(|source| BadSelection::Pattern { pattern: text.as_ref().to_owned(), source: source.into() })
    };
    texts.iter().map(read).collect()
}

/// What is wrong with a pattern, without the drawing of the place, which takes several lines.
fn in_one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Allowed keys by kind. `*` stands for every kind, and then nothing else counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowLists {
    lists: BTreeMap<String, AllowList>,
}

impl AllowLists {
    /// Reads `pods=[app,team/*],nodes=[*]`.
    pub fn parse(text: &str) -> Result<Self, BadSelection> {
        let mut lists = BTreeMap::new();
        for (kind, keys) in split_lists(text).ok_or_else(|| BadSelection::AllowList { list: text.to_owned() })? {
            lists.insert(kind, keys);
        }
        Self::new(lists)
    }

    /// Takes lists that are already split, as a configuration file has them.
    pub fn new(lists: BTreeMap<String, Vec<String>>) -> Result<Self, BadSelection> {
        for (kind, keys) in &lists {
            if kind != "*" {
                known(kind)?;
            }
            if let Some(key) = keys.iter().find(|key| key.matches('*').count() > 1) {
                return Err(BadSelection::ManyStars { key: key.clone() });
            }
        }
        Ok(Self { lists: lists.into_iter().map(|(kind, keys)| (kind, AllowList::new(keys))).collect() })
    }

    /// The kinds that they are about.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.lists.keys().map(String::as_str)
    }

    /// The list of a kind.
    pub fn of(&self, plural: &str) -> AllowList {
        self.lists.get("*").or_else(|| self.lists.get(plural)).cloned().unwrap_or_default()
    }
}

/// Splits at the commas outside of brackets, and what is inside at its commas.
fn split_lists(text: &str) -> Option<Vec<(String, Vec<String>)>> {
    let mut lists = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (kind, after) = rest.split_once("=[")?;
        let (keys, after) = after.split_once(']')?;
        if kind.contains([',', '[', ']', '=']) || keys.contains(['[', '=']) {
            return None;
        }
        let keys: Vec<String> = match keys {
            "" => Vec::new(),
            keys => keys.split(',').map(|key| key.trim().to_owned()).collect(),
        };
        if keys.iter().any(String::is_empty) {
            return None;
        }
        lists.push((kind.trim().to_owned(), keys));
        rest = match after.strip_prefix(',') {
            Some("") => return None,
            Some(more) => more,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(lists)
}

/// Splits a comma list as flags have it: spaces around an entry and empty entries do not count.
pub fn comma_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn known(name: &str) -> Result<&'static dyn Resource, BadSelection> {
    resources::find(name).ok_or_else(|| {
        let known: Vec<&str> = resources::ALL.iter().map(|resource| resource.about().plural).collect();
        BadSelection::UnknownKind { name: name.to_owned(), known: known.join(", ") }
    })
}

impl Default for Selection {
    /// The default selection.
    fn default() -> Self {
        let on = resources::ALL.iter().filter(|resource| resource.about().default_on);
        Self {
            resources: on.map(|resource| resource.about().plural.to_owned()).collect(),
            families: Families::All,
            opt_in: Vec::new(),
            labels: AllowLists::default(),
            annotations: AllowLists::default(),
            local: TimeZone::UTC,
            without_zeros: false,
        }
    }
}

impl Selection {
    /// Only these kinds, by plural name. Fails when one is not known.
    pub fn with_kinds<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Self, BadSelection> {
        self.resources.clear();
        for name in names {
            self.resources.insert(known(name.as_ref())?.about().plural.to_owned());
        }
        Ok(self)
    }

    /// Only these families.
    #[must_use]
    pub fn with_families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// Also the families that wait to be asked for and whose name one of these patterns finds.
    pub fn with_opt_in<S: AsRef<str>>(mut self, texts: &[S]) -> Result<Self, BadSelection> {
        let read = |text: &S| {
            regex::Regex::new(text.as_ref()).map_err(|source| BadSelection::Pattern {
                pattern: text.as_ref().to_owned(),
                source: in_one_line(&source).into(),
            })
        };
        self.opt_in = texts.iter().map(read).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// With these labels and annotations.
    #[must_use]
    pub fn with_lists(mut self, labels: AllowLists, annotations: AllowLists) -> Self {
        (self.labels, self.annotations) = (labels, annotations);
        self
    }

    /// Schedules that name no time zone are read in this one.
    #[must_use]
    pub fn with_local_zone(mut self, local: TimeZone) -> Self {
        self.local = local;
        self
    }

    /// Without the rows for states that do not hold.
    #[must_use]
    pub fn without_zeros(mut self, is_without: bool) -> Self {
        self.without_zeros = is_without;
        self
    }

    /// The kinds, in the order of the output.
    pub fn kinds(&self) -> impl Iterator<Item = &'static dyn Resource> {
        resources::ALL.iter().copied().filter(|resource| self.resources.contains(resource.about().plural))
    }

    /// Whether a family that is not declared in code is written.
    pub fn keeps(&self, name: &str) -> bool {
        self.families.has(name)
    }

    /// Values of flags that have no effect, since they match nothing. `others` are families that are not declared in code.
    pub fn without_effect(&self, others: &[&str]) -> Vec<String> {
        let descs = || resources::ALL.iter().flat_map(|resource| resource.descs());
        let known: Vec<&str> = descs().map(|desc| desc.name).chain(others.iter().copied()).collect();
        let is_deny = matches!(self.families, Families::Without(_));
        let flag = if is_deny { "--metric-denylist" } else { "--metric-allowlist" };
        let of_families = self.families.idle(&known).into_iter();
        let mut said: Vec<String> =
            of_families.map(|pattern| format!("{flag}: the pattern {pattern:?} matches no family")).collect();
        let opt_in = || descs().filter(|desc| matches!(desc.gate, Gate::OptIn | Gate::Ours));
        let idle = self.opt_in.iter().filter(|pattern| !opt_in().any(|desc| pattern.is_match(desc.name)));
        said.extend(idle.map(|pattern| {
            format!("--metric-opt-in-list: the pattern {:?} matches no family that is off by default", pattern.as_str())
        }));
        for (flag, lists, gate) in [
            ("--metric-labels-allowlist", &self.labels, Gate::Labels),
            ("--metric-annotations-allowlist", &self.annotations, Gate::Annotations),
        ] {
            for kind in lists.kinds().filter(|kind| *kind != "*") {
                let has_family = resources::find(kind).is_some_and(|kind| kind.descs().any(|desc| desc.gate == gate));
                if !self.resources.contains(kind) {
                    said.push(format!("{flag}: {kind} are not among the kinds that are served"));
                } else if !has_family {
                    said.push(format!("{flag}: {kind} have no such family"));
                }
            }
        }
        said
    }

    /// Whether a kind that is known is served.
    pub fn has_kind(&self, plural: &str) -> bool {
        self.resources.contains(plural)
    }

    /// Whether a family is written.
    pub fn wants(&self, desc: &Desc) -> bool {
        let is_asked_for = !matches!(desc.gate, Gate::OptIn | Gate::Ours)
            || self.opt_in.iter().any(|pattern| pattern.is_match(desc.name));
        is_asked_for && self.families.has(desc.name)
    }

    /// Options of a kind's rows.
    pub fn options(&self, resource: &dyn Resource) -> Options {
        let plural = resource.about().plural;
        Options {
            labels: self.labels.of(plural),
            annotations: self.annotations.of(plural),
            wanted: resource.descs().map(|desc| self.wants(desc)).collect(),
            local: self.local.clone(),
            without_zeros: self.without_zeros,
        }
    }
}

/// Label or field selectors by kind. That of `*` is for kinds without one of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors(BTreeMap<String, String>);

impl Selectors {
    /// Reads `pods=app in (a,b)`, one text a kind. A kind that has dots in its name is a custom one.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, BadSelection> {
        let mut selectors = BTreeMap::new();
        for text in texts.iter().map(AsRef::as_ref) {
            let bad = || BadSelection::Selector { text: text.to_owned() };
            let (kind, selector) = text.split_once('=').ok_or_else(bad)?;
            let (kind, selector) = (kind.trim(), selector.trim());
            if kind != "*" && !kind.contains('.') {
                known(kind)?;
            }
            if selector.is_empty() || selectors.insert(kind.to_owned(), selector.to_owned()).is_some() {
                return Err(bad());
            }
        }
        Ok(Self(selectors))
    }

    /// The kinds that have one of their own.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The selector of a kind.
    pub fn of(&self, kind: &str) -> Option<&str> {
        self.0.get(kind).or_else(|| self.0.get("*")).map(String::as_str)
    }
}

/// Kinds of one response: `?resources=pods,nodes&exclude_resources=nodes`. Unknown names are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    only: BTreeSet<String>,
    without: BTreeSet<String>,
}

impl Asked {
    /// Takes a parameter of the query, already decoded. Others than the two are passed over.
    pub fn add(&mut self, name: &str, value: &str) {
        let names = comma_list(value).map(str::to_owned);
        match name {
            "resources" => self.only.extend(names),
            "exclude_resources" => self.without.extend(names),
            _ => {}
        }
    }

    /// Whether the answer has the kind.
    pub fn has(&self, plural: &str) -> bool {
        (self.only.is_empty() || self.only.contains(plural)) && !self.without.contains(plural)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(selection: &Selection) -> usize {
        selection.kinds().flat_map(<dyn Resource>::descs).filter(|desc| selection.wants(desc)).count()
    }

    #[test]
    fn by_default_there_are_32_kinds_without_opt_ins() {
        let selection = Selection::default();
        assert_eq!(selection.kinds().count(), 32);
        let all: usize = selection.kinds().map(Resource::families).sum();
        assert_eq!(wanted(&selection), all - 6);
    }

    #[test]
    fn patterns_find_any_part_of_a_name_and_know_look_around() {
        let families = Families::new(&["^kube_pod_(?!.*_reason$).*status", "secret"], &[]).unwrap();
        assert!(families.has("kube_pod_status_phase") && families.has("kube_secret_info"));
        assert!(!families.has("kube_pod_status_reason") && !families.has("kube_node_info"));
        let families = Families::new(&[], &["_labels$"]).unwrap();
        assert!(families.has("kube_pod_info") && !families.has("kube_pod_labels"));
        assert!(matches!(Families::new(&["a"], &["b"]), Err(BadSelection::AllowAndDeny)));
        assert!(matches!(Families::new(&["("], &[]), Err(BadSelection::Pattern { .. })));
    }

    #[test]
    fn a_pattern_that_takes_too_long_keeps_nothing() {
        let families = Families::new(&["^(?=(k|ku|kub|kube|_|[a-z_]+)+$)(.*a.*)*\\1!"], &[]).unwrap();
        assert!(!families.has("kube_persistentvolumeclaim_resource_requests_storage_bytes"));
    }

    #[test]
    fn opt_in_adds_to_the_list_of_families() {
        let selection = Selection::default().with_opt_in(&["nodeselectors"]).unwrap();
        assert_eq!(wanted(&selection), wanted(&Selection::default()) + 1);
        let none = selection.with_families(Families::new(&["kube_pod_info"], &[]).unwrap());
        assert_eq!(wanted(&none), 1);
    }

    #[test]
    fn allowlists_are_read_by_kind() {
        let lists = AllowLists::parse("pods=[app,team/*],nodes=[*],secrets=[]").unwrap();
        assert!(lists.of("pods").allows("team/x") && !lists.of("pods").allows("zone"));
        assert!(lists.of("nodes").allows("zone") && lists.of("secrets").is_empty() && lists.of("jobs").is_empty());
        let all = AllowLists::parse("*=[app],pods=[zone]").unwrap();
        assert!(all.of("pods").allows("app") && !all.of("pods").allows("zone") && all.of("jobs").allows("app"));
        for text in
            ["pods", "pods=app", "pods=[app", "pods=[app]nodes=[x]", "pods=[a,]", "pods=[,a]", "pods=[a],", ",pods=[a]"]
        {
            assert!(matches!(AllowLists::parse(text), Err(BadSelection::AllowList { .. })), "{text}");
        }
        assert!(matches!(AllowLists::parse("pods=[a*b*]"), Err(BadSelection::ManyStars { .. })));
        assert!(matches!(AllowLists::parse("pod=[a]"), Err(BadSelection::UnknownKind { .. })));
    }

    #[test]
    fn a_kind_has_one_selector() {
        let selectors = Selectors::parse(&["pods=app=web,tier!=db", "*=team", "ships.v1.g.example=x"]).unwrap();
        assert_eq!(selectors.of("pods"), Some("app=web,tier!=db"));
        assert_eq!((selectors.of("jobs"), selectors.of("ships.v1.g.example")), (Some("team"), Some("x")));
        assert_eq!(Selectors::default().of("pods"), None);
        for texts in [&["pods"][..], &["pods="], &["pods=a", "pods=b"]] {
            assert!(matches!(Selectors::parse(texts), Err(BadSelection::Selector { .. })), "{texts:?}");
        }
        assert!(matches!(Selectors::parse(&["pod=a"]), Err(BadSelection::UnknownKind { .. })));
    }

    #[test]
    fn what_matches_nothing_is_said() {
        let said = |selection: Selection| selection.without_effect(&["fleet_crew"]);
        assert_eq!(said(Selection::default()), Vec::<String>::new());
        let families =
            |allow: &[&str], deny: &[&str]| Selection::default().with_families(Families::new(allow, deny).unwrap());
        assert_eq!(
            said(families(&["kube_pod_", "fleet", "kube_podx"], &[])),
            ["--metric-allowlist: the pattern \"kube_podx\" matches no family"]
        );
        assert_eq!(said(families(&[], &["^pod"])), ["--metric-denylist: the pattern \"^pod\" matches no family"]);
        let opt_in = Selection::default().with_opt_in(&["nodeselectors", "kube_pod_info"]).unwrap();
        assert_eq!(
            said(opt_in),
            ["--metric-opt-in-list: the pattern \"kube_pod_info\" matches no family that is off by default"]
        );
        let lists = AllowLists::parse("pods=[a],roles=[b],leases=[c]").unwrap();
        assert_eq!(
            said(Selection::default().with_lists(lists, AllowLists::parse("*=[x]").unwrap())),
            [
                "--metric-labels-allowlist: leases have no such family",
                "--metric-labels-allowlist: roles are not among the kinds that are served",
            ]
        );
    }

    #[test]
    fn kinds_are_named_by_their_plural() {
        let selection = Selection::default().with_kinds(comma_list(" roles , pods,")).unwrap();
        let plurals: Vec<_> = selection.kinds().map(|resource| resource.about().plural).collect();
        assert_eq!(plurals, ["pods", "roles"]);
        assert!(Selection::default().with_kinds(["pod"]).is_err());
    }

    #[test]
    fn a_query_can_leave_kinds_out() {
        let mut asked = Asked::default();
        assert!(asked.has("pods"));
        asked.add("resources", "pods,nodes");
        asked.add("resources", "jobs");
        asked.add("exclude_resources", "nodes");
        asked.add("name[]", "x");
        assert!(asked.has("pods") && asked.has("jobs") && !asked.has("nodes") && !asked.has("secrets"));
    }
}
