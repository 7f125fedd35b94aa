//! Queries of boards: parts and limits put in, and the same without what Grafana puts in.

use std::collections::{BTreeMap, BTreeSet};

use crate::query::indented;
use crate::threshold::{Threshold, Thresholds};

/// Puts parts in for `@name` within braces, and limits for `${name}` where that is one.
pub(super) fn filled(
    text: &str,
    parts: &BTreeMap<String, String>,
    thresholds: &Thresholds,
) -> Result<(String, Vec<String>), String> {
    let (text, used) = thresholds.filled(text, Threshold::query)?;
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_str());
    while let Some((before, after)) = rest.split_once('@') {
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        out.push_str(before);
        if name.is_empty() {
            // The modifier of PromQL.
            out.push('@');
            rest = after;
            continue;
        }
        out.push_str(parts.get(name).ok_or_else(|| format!("there is no part {name:?}"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok((indented(&out, 0), used))
}

/// Grafana's own variables, and what stands for them when a query is read here.
const OWN: [(&str, &str); 3] = [("__rate_interval", "5m"), ("__interval", "1m"), ("__range", "1h")];

/// The query with something that parses in place of variables, and the variables' names.
pub(super) fn plain(text: &str) -> (String, BTreeSet<String>) {
    let (mut out, mut names, mut rest) = (String::with_capacity(text.len()), BTreeSet::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|braced| braced.split_once('}'));
        let (name, after) = if let Some((inside, after)) = braced {
            (inside.split_once(':').map_or(inside, |(name, _)| name), after)
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            after.split_at(end)
        };
        rest = after;
        // `$1` is a part of a match in label_replace.
        if name.chars().all(|c| c.is_ascii_digit()) {
            out.push('$');
            out.push_str(name);
            continue;
        }
        if let Some((_, value)) = OWN.iter().find(|(own, _)| *own == name) {
            out.push_str(value);
        } else {
            out.push_str(".*");
            names.insert(name.to_owned());
        }
    }
    out.push_str(rest);
    (out, names)
}

/// Labels that a legend or a link names as `{{label}}`, `${__field.labels.label}` or `${__data.fields.title}`.
pub(super) fn legend_labels(legend: &str) -> BTreeSet<String> {
    let inside = legend.split("{{").skip(1).filter_map(|after| after.split_once("}}"));
    inside.map(|(name, _)| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_limits_are_put_in() {
        let parts = [("node".to_owned(), "node=~\"$node\"".to_owned())].into();
        let source = crate::Source::new("t.yaml", "share: {value: 0.5, unit: ratio, about: A part.}");
        let thresholds = Thresholds::read(&source).unwrap();
        let (text, used) = filled("x{@node, a=\"b\"} > ${share}\n", &parts, &thresholds).unwrap();
        assert_eq!((text.as_str(), used.len()), ("x{node=~\"$node\", a=\"b\"} > 0.5", 1));
        assert!(filled("x{@pod}", &parts, &thresholds).unwrap_err().contains("pod"));
    }

    #[test]
    fn a_query_parses_without_grafana() {
        let text = r#"label_replace(rate(x{a=~"$node", b=~"${pod:regex}"}[$__rate_interval]), "c", "$1", "a", "(.*)")"#;
        let (plain, names) = plain(text);
        assert_eq!(plain, r#"label_replace(rate(x{a=~".*", b=~".*"}[5m]), "c", "$1", "a", "(.*)")"#);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["node", "pod"]);
        assert!(promql_parser::parser::parse(&plain).is_ok());
    }

    #[test]
    fn a_legend_names_labels() {
        assert_eq!(legend_labels("{{namespace}}/{{ pod }} x").into_iter().collect::<Vec<_>>(), ["namespace", "pod"]);
    }
}
