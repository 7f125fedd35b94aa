//! The books in a file, so that an agent that starts again goes on with them.

use std::collections::HashMap;

use metric::{Buckets, Histogram, Native};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    super::wire::Totals,
    LIFETIME_BOUNDS, Ledger, Lifetimes, Limits,
    workload::{Kind, TALLIES, Tally},
};
use crate::identity::Pods;

impl Ledger {
    /// These books, as they were read from a file, at work again.
    #[must_use]
    pub fn continued(mut self, limits: Limits, pods: &Pods) -> Self {
        self.limits = limits;
        self.names.ask(pods);
        self.workloads.index();
        let mut units: Vec<_> = self.units.values().map(|unit| (unit.number, unit.path.clone())).collect();
        // The youngest has a path that several had.
        units.sort_unstable();
        self.by_path = units.into_iter().map(|(number, path)| (path, number)).collect::<HashMap<_, _>>();
        self
    }

    /// Whose they are: the id of the hierarchy's root.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The kernel's rows are new ones, which begin at zero.
    pub fn rows_are_new(&mut self) {
        for member in self.members.values_mut() {
            member.last = Totals::default();
        }
        self.overflow = Totals::default();
        self.root_last_ns = 0;
    }

    /// What another feature counts begins at zero.
    pub fn tally_is_new(&mut self, tally: Tally) {
        let all = self.members.values_mut().map(|member| &mut member.tallies).chain([&mut self.overflow_tallies]);
        for tallies in all {
            if let Some(last) = tallies.get_mut(tally as usize) {
                *last = 0;
            }
        }
    }
}

const _: () = assert!(Tally::OomPages as usize + 1 == TALLIES);

pub(super) fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
    String::deserialize(from).map(|name| kubernetes::workload::kind(&name))
}

/// Lifetimes as a list: their keys are no strings.
pub(super) mod lifetimes {
    use super::{
        Buckets, Deserialize, Deserializer, Histogram, Kind, LIFETIME_BOUNDS, Lifetimes, Native, Serialize, Serializer,
    };

    #[derive(Serialize, Deserialize)]
    struct Row {
        namespace: String,
        #[serde(deserialize_with = "super::kind")]
        kind: Kind,
        created: Option<f64>,
        sum: f64,
        count: u64,
        classic: Vec<u64>,
        schema: i32,
        zero: u64,
        positive: Vec<(i32, u64)>,
    }

    pub(in super::super) fn serialize<S: Serializer>(lifetimes: &Lifetimes, to: S) -> Result<S::Ok, S::Error> {
        let rows = lifetimes.iter().map(|((namespace, kind), histogram)| {
            let native = histogram.native.clone().unwrap_or_else(|| Native::new(3));
            Row {
                namespace: namespace.clone(),
                kind,
                created: histogram.created,
                sum: histogram.sum(),
                count: histogram.count(),
                classic: histogram.classic.as_ref().map(|classic| classic.counts.clone()).unwrap_or_default(),
                schema: native.schema,
                zero: native.zero,
                positive: native.positive,
            }
        });
        to.collect_seq(rows)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Lifetimes, D::Error> {
        let rows = Vec::<Row>::deserialize(from)?;
        let read = |row: Row| {
            let mut counts = row.classic;
            counts.resize(LIFETIME_BOUNDS.len() + 1, 0);
            let mut native = Native::new(row.schema);
            (native.zero, native.positive) = (row.zero, row.positive);
            let classic = Buckets { bounds: LIFETIME_BOUNDS, counts };
            let mut histogram = Histogram::counted(row.sum, row.count, Some(classic), Some(native));
            histogram.created = row.created;
            ((row.namespace, row.kind), histogram)
        };
        Ok(rows.into_iter().map(read).collect())
    }
}
