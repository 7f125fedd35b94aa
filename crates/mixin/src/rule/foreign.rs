//! Rule files of others, which run beside the set in a proof.

use serde_json::Value;

use crate::query::scaled;
use crate::{Period, Source};

/// A rule file of somebody else.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// The same file with scaled times, as JSON, which is YAML.
    pub text: String,
    /// Names of its alerts, in order; one may stand there twice.
    pub alerts: Vec<String>,
}

/// Reads a rule file; `f` makes times shorter or longer, and groups that `leave_out` holds of are left out.
pub fn foreign(file: &Source, factor: f64, leave_out: impl Fn(&str) -> bool) -> Result<Foreign, String> {
    let mut rules: Value = file.read().map_err(|problem| problem.to_string())?;
    let mut alerts = Vec::new();
    let groups = rules.get_mut("groups").and_then(Value::as_array_mut).ok_or("has no list of groups")?;
    groups.retain(|group| !group.get("name").and_then(Value::as_str).is_some_and(&leave_out));
    for group in groups {
        // All rules are evaluated as often as the proof says.
        group.as_object_mut().ok_or("has a group that is no map")?.remove("interval");
        let rules = group.get_mut("rules").and_then(Value::as_array_mut).ok_or("has a group without rules")?;
        for rule in rules {
            scale(rule, factor)?;
            alerts.extend(rule.get("alert").and_then(Value::as_str).map(str::to_owned));
        }
    }
    Ok(Foreign { text: rules.to_string(), alerts })
}

fn scale(rule: &mut Value, factor: f64) -> Result<(), String> {
    let name = ["alert", "record"].iter().find_map(|key| rule.get(key)?.as_str()).unwrap_or("a rule").to_owned();
    for key in ["expr", "for", "keep_firing_for"] {
        let Some(text) = rule.get(key).and_then(Value::as_str) else { continue };
        let new = match key {
            "expr" => scaled(text, factor),
            _ => text.parse::<Period>().map(|period| period.scaled(factor).to_string()),
        };
        let new = new.map_err(|error| format!("{name}: {key}: {error}"))?;
        if let Some(map) = rule.as_object_mut() {
            map.insert(key.to_owned(), Value::from(new));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_others_are_scaled_and_groups_left_out() {
        let text = "groups:\n- name: a\n  interval: 3m\n  rules:\n  - {alert: X, expr: 'rate(y[5m]) > 1', for: 15m, labels: {severity: warning}}\n  - {record: 'z:rate5m', expr: 'rate(z[5m])'}\n- name: b\n  rules: [{alert: Y, expr: up}]\n";
        let file = Source::new("x.yaml", text);
        let read = foreign(&file, 0.1, |group| group == "b").unwrap();
        assert_eq!(read.alerts, ["X"]);
        let json: Value = serde_json::from_str(&read.text).unwrap();
        assert_eq!(json["groups"][0]["rules"][0]["for"], "1m30s");
        assert_eq!(json["groups"][0]["rules"][0]["expr"], "rate(y[30s]) > 1");
        assert_eq!(json["groups"][0]["rules"][1]["record"], "z:rate5m");
        assert_eq!(json["groups"].as_array().unwrap().len(), 1);
        assert!(
            foreign(&Source::new("x.yaml", "groups: [{name: a, rules: [{alert: X, expr: 'sum('}]}]"), 0.1, |_| false)
                .is_err()
        );
    }
}
