//! Labels through the tree of a query.
//!
//! For each part: the labels that rows can have, and the labels by which no two rows are the same. The latter is what a
//! join needs to know: an aggregation has one row for each value of what it is `by`, a selector has one for each series,
//! and those differ in `instance` where an exporter is scraped twice.

use std::collections::BTreeSet;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use crate::catalog::{Known, Labels};

/// Rows of a part of a query.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// Labels that they can have.
    pub(super) keeps: Labels,
    /// Labels by which no two are the same.
    pub(super) unique: Labels,
}

/// Goes through a query.
pub(super) struct Reader<'a> {
    known: &'a Known,
    pub(super) reads: BTreeSet<String>,
    pub(super) problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(known: &'a Known) -> Self {
        Self { known, reads: BTreeSet::new(), problems: Vec::new() }
    }

    /// Rows of a part; `None` for numbers and strings.
    pub(super) fn rows(&mut self, expr: &Expr) -> Option<Rows> {
        match expr {
            Expr::Aggregate(aggregate) => Some(self.aggregate(aggregate)),
            Expr::Unary(unary) => self.rows(&unary.expr),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Paren(paren) => self.rows(&paren.expr),
            Expr::Subquery(subquery) => self.rows(&subquery.expr),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => None,
            Expr::VectorSelector(selector) => Some(self.selector(selector)),
            Expr::MatrixSelector(matrix) => Some(self.selector(&matrix.vs)),
            Expr::Call(call) => self.call(call),
            Expr::Extension(_) => {
                self.problems.push("uses an extension of PromQL".to_owned());
                None
            }
        }
    }

    fn selector(&mut self, selector: &VectorSelector) -> Rows {
        let Some(name) = &selector.name else {
            self.problems.push(format!("{selector} names no metric"));
            return Rows::default();
        };
        self.reads.insert(name.clone());
        let Some((_, family, labels)) = self.known.series(name) else {
            self.problems.push(format!("nothing declares {name}: no catalogue, no input, no record"));
            return Rows::default();
        };
        for matcher in selector.matchers.matchers.iter().chain(selector.matchers.or_matchers.iter().flatten()) {
            if !labels.contains(&matcher.name) {
                self.problems.push(format!("{name} has no label {}", matcher.name));
            } else if let Some(values) = family.values.get(&matcher.name) {
                self.problems.extend(never(name, matcher, values));
            }
        }
        Rows { unique: family.unique.clone().unwrap_or_else(|| labels.clone()), keeps: labels }
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Rows {
        let of = self.rows(&aggregate.expr).unwrap_or_default();
        if let Some(param) = &aggregate.param {
            self.rows(param);
        }
        let op = aggregate.op.to_string();
        let groups = match &aggregate.modifier {
            None => Labels::new(),
            Some(LabelModifier::Include(by)) => self.kept(&by.labels, &of, &format!("{op} by")),
            Some(LabelModifier::Exclude(without)) => {
                of.keeps.iter().filter(|label| !without.labels.contains(label)).cloned().collect()
            }
        };
        match op.as_str() {
            "topk" | "bottomk" | "limitk" | "limit_ratio" => {
                let is_one = matches!(aggregate.param.as_deref(), Some(Expr::NumberLiteral(n)) if n.val == 1.0);
                Rows { unique: if is_one { groups } else { of.unique }, keeps: of.keeps }
            }
            "count_values" => {
                let value = match aggregate.param.as_deref() {
                    Some(Expr::StringLiteral(text)) => text.val.clone(),
                    _ => String::new(),
                };
                let keeps: Labels = groups.into_iter().chain([value]).collect();
                Rows { unique: keeps.clone(), keeps }
            }
            _ => Rows { unique: groups.clone(), keeps: groups },
        }
    }

    fn call(&mut self, call: &Call) -> Option<Rows> {
        let args = &call.args.args;
        let strings: Vec<&str> = args
            .iter()
            .filter_map(|arg| if let Expr::StringLiteral(text) = arg.as_ref() { Some(text.val.as_str()) } else { None })
            .collect();
        let mut vectors = args.iter().map(|arg| self.rows(arg)).collect::<Vec<_>>().into_iter().flatten();
        let rows = vectors.next();
        match call.func.name {
            "scalar" | "time" | "pi" => None,
            "vector" => Some(Rows::default()),
            "absent" | "absent_over_time" => {
                let keeps = args.first().map(|arg| equalities(arg)).unwrap_or_default();
                Some(Rows { unique: Labels::new(), keeps })
            }
            "label_replace" => {
                let mut rows = rows?;
                if let (Some(to), Some(from)) = (strings.first(), strings.get(2)) {
                    if !from.is_empty() {
                        self.kept(&[(*from).to_owned()], &rows, "label_replace from");
                    }
                    rows.keeps.insert((*to).to_owned());
                    if rows.unique.contains(*to) {
                        // What told rows apart may be overwritten.
                        rows.unique = rows.keeps.clone();
                    }
                }
                Some(rows)
            }
            "label_join" => {
                let mut rows = rows?;
                let from: Vec<String> = strings.iter().skip(2).map(|&label| label.to_owned()).collect();
                self.kept(&from, &rows, "label_join from");
                rows.keeps.extend(strings.first().map(|&to| to.to_owned()));
                Some(rows)
            }
            "histogram_quantile" => {
                let mut rows = rows?;
                rows.keeps.remove("le");
                rows.unique.remove("le");
                Some(rows)
            }
            _ => rows,
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Option<Rows> {
        let (left, right) = (self.rows(&binary.lhs), self.rows(&binary.rhs));
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return left.or(right),
        };
        let op = binary.op.to_string();
        let modifier = binary.modifier.as_ref();
        let on = match modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(on)) => {
                let on: Labels = on.labels.iter().cloned().collect();
                for side in [&left, &right] {
                    self.kept(&on.iter().cloned().collect::<Vec<_>>(), side, &format!("{op} on"));
                }
                Some(on)
            }
            Some(LabelModifier::Exclude(ignoring)) => {
                let both = left.keeps.union(&right.keeps);
                Some(both.filter(|label| !ignoring.labels.contains(label)).cloned().collect())
            }
            None => None,
        };
        match op.as_str() {
            "and" | "unless" => return Some(left),
            "or" => return Some(either(&left, &right, on)),
            _ => {}
        }
        // Without words on matching, rows find the one with the same labels, and a second scrape finds its own.
        let Some(on) = on else { return Some(left) };
        let many_to_one = |many: Rows, one: &Rows, includes: &[String], this: &mut Self| {
            this.single(one, &on, &op, "one");
            let includes = this.kept(includes, one, "group_left or group_right");
            Rows { keeps: many.keeps.union(&includes).cloned().collect(), unique: many.unique }
        };
        match modifier.map(|modifier| &modifier.card) {
            Some(VectorMatchCardinality::ManyToOne(labels)) => Some(many_to_one(left, &right, &labels.labels, self)),
            Some(VectorMatchCardinality::OneToMany(labels)) => Some(many_to_one(right, &left, &labels.labels, self)),
            _ => {
                self.single(&left, &on, &op, "left");
                self.single(&right, &on, &op, "right");
                let keeps: Labels = left.keeps.intersection(&on).cloned().collect();
                Some(Rows { unique: keeps.clone(), keeps })
            }
        }
    }

    /// Refuses a side of a join that can have more than one row for what it is joined on.
    fn single(&mut self, side: &Rows, on: &Labels, op: &str, name: &str) {
        let apart: Vec<&str> = side.unique.difference(on).map(String::as_str).collect();
        if !apart.is_empty() {
            let on: Vec<&str> = on.iter().map(String::as_str).collect();
            self.problems.push(format!(
                "the {name} side of `{op}` can have more than one row for the same {}: rows differ in {}; aggregate them \
                 away",
                on.join(", "),
                apart.join(", ")
            ));
        }
    }

    /// Those of these labels that the rows can have; the others are a problem.
    fn kept(&mut self, labels: &[String], rows: &Rows, whose: &str) -> Labels {
        let (kept, lost): (Vec<&String>, Vec<&String>) = labels.iter().partition(|label| rows.keeps.contains(*label));
        for label in lost {
            self.problems.push(format!("`{whose}` names the label {label}, which its rows do not have"));
        }
        kept.into_iter().cloned().collect()
    }
}

/// Rows of the left, and those of the right that match none of them.
fn either(left: &Rows, right: &Rows, on: Option<Labels>) -> Rows {
    let keeps: Labels = left.keeps.union(&right.keeps).cloned().collect();
    let together: Labels = left.unique.union(&right.unique).cloned().collect();
    let unique = match on {
        Some(on) if together.is_subset(&on) => on,
        _ => keeps.clone(),
    };
    Rows { keeps, unique }
}

/// Labels that a missing series is known to have.
fn equalities(expr: &Expr) -> Labels {
    let selector = match expr {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.vs,
        Expr::Paren(paren) => return equalities(&paren.expr),
        _ => return Labels::new(),
    };
    let equal = selector.matchers.matchers.iter().filter(|matcher| matcher.op == MatchOp::Equal);
    equal.map(|matcher| matcher.name.clone()).collect()
}

/// Why a matcher on a label with fixed values matches nothing.
fn never(name: &str, matcher: &Matcher, values: &[String]) -> Option<String> {
    let label = &matcher.name;
    match &matcher.op {
        MatchOp::Equal if !matcher.value.is_empty() && !values.contains(&matcher.value) => {
            Some(format!("{label} of {name} is never {:?}; it is one of {}", matcher.value, values.join(", ")))
        }
        MatchOp::Re(_) if !values.iter().any(|value| matcher.is_match(value)) && !matcher.is_match("") => {
            Some(format!("{label}=~{:?} of {name} matches none of its values: {}", matcher.value, values.join(", ")))
        }
        _ => None,
    }
}
