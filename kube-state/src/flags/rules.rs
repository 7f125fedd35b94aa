//! What the value of a flag must be beyond its notation: one rule a flag, each of which is asked before anything starts.

use kubernetes::Access;

use super::table::Flags;

/// Says what is wrong with the value of a flag.
type Rule = fn(&Flags) -> Result<(), String>;

/// The rules, by flag.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("auto-gomemlimit-ratio", |flags| {
        let ratio = flags.auto_gomemlimit_ratio;
        if ratio > 0.0 && ratio <= 1.0 { Ok(()) } else { Err(format!("{ratio} is not above 0 and at most 1")) }
    }),
    ("namespaces", |flags| flags.namespaces.iter().try_for_each(|name| label(name))),
    ("namespaces-denylist", |flags| flags.namespaces_denylist.iter().try_for_each(|name| label(name))),
    ("node", |flags| name(&flags.node)),
    ("pod", |flags| match (flags.pod.is_empty(), flags.pod_namespace.is_empty()) {
        (false, true) => Err("needs --pod-namespace; without it no shard can be found".to_owned()),
        _ => name(&flags.pod),
    }),
    ("pod-namespace", |flags| if flags.pod_namespace.is_empty() { Ok(()) } else { label(&flags.pod_namespace) }),
    ("namespace-selector", |flags| selector(&flags.namespace_selector)),
    ("label-selector", |flags| flags.label_selector.iter().try_for_each(|text| selector(after_kind(text)))),
    ("field-selector", |flags| flags.field_selector.iter().try_for_each(|text| fields(after_kind(text)))),
    ("host", |flags| address(flags.web().check())),
    ("telemetry-host", |flags| address(flags.telemetry_web().check())),
    ("telemetry-port", |flags| {
        let (objects, own) = (flags.web().listen_address, flags.telemetry_web().listen_address);
        let is_taken = flags.telemetry_port != 0 && objects == own;
        if is_taken { Err(format!("{} is the port of --port too", flags.telemetry_port)) } else { Ok(()) }
    }),
    ("log.level", |flags| flags.log().check().map_err(|invalid| invalid.what)),
    ("kubeconfig", |flags| if flags.kubeconfig.is_some() { reached(flags) } else { Ok(()) }),
    ("apiserver", |flags| match flags.kubeconfig {
        None if !flags.apiserver.is_empty() => reached(flags),
        _ => Ok(()),
    }),
];

/// Asks all rules. The error is the flag and what is wrong with its value.
pub(super) fn check(flags: &Flags) -> Result<(), (&'static str, String)> {
    RULES.iter().try_for_each(|(flag, rule)| rule(flags).map_err(|what| (*flag, what)))
}

/// The way to the API server, as far as it can be seen without going it.
pub(super) fn access(flags: &Flags) -> Access {
    Access::api_server(flags.kubeconfig.clone(), Some(flags.apiserver.clone()).filter(|address| !address.is_empty()))
}

fn reached(flags: &Flags) -> Result<(), String> {
    access(flags).check().map_err(|error| daemon::chain(&error))
}

/// An error of the web configuration file says so itself.
fn address(checked: Result<(), daemon::Invalid>) -> Result<(), String> {
    match checked {
        Err(invalid) if invalid.key == "web.listen_address" => Err(invalid.what),
        _ => Ok(()),
    }
}

/// The selector of `kind=selector`.
fn after_kind(text: &str) -> &str {
    text.split_once('=').map_or("", |(_, selector)| selector)
}

/// A name of an object, or nothing.
fn name(text: &str) -> Result<(), String> {
    if text.is_empty() || (text.len() <= 253 && text.split('.').all(is_label)) {
        return Ok(());
    }
    Err(format!("{text:?} is no name of an object: names have letters a to z, digits, - and ."))
}

/// A name of a namespace.
fn label(text: &str) -> Result<(), String> {
    if text.len() <= 63 && is_label(text) {
        return Ok(());
    }
    Err(format!("{text:?} is no name of a namespace: names have letters a to z, digits and -, at most 63"))
}

/// As RFC 1123 has labels.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A selector of labels: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.
fn selector(text: &str) -> Result<(), String> {
    let wrong = || Err(format!("cannot read the selector {text:?}: it is written a=b,c!=d,e,!f,g in (h,i)"));
    if text.trim().is_empty() {
        return Ok(());
    }
    let mut rest = text;
    while !rest.is_empty() {
        let (requirement, after) = match (rest.find(','), rest.find('(')) {
            // The commas of a set are not those between requirements.
            (comma, Some(open)) if comma.is_none_or(|comma| open < comma) => match rest.split_once(')') {
                Some((one, after)) => (one, Some(after.trim_start()).filter(|after| !after.is_empty())),
                None => return wrong(),
            },
            (Some(_), _) => match rest.split_once(',') {
                Some((one, after)) => {
                    if after.trim().is_empty() {
                        return wrong();
                    }
                    (one, Some(after))
                }
                None => return wrong(),
            },
            (None, _) => (rest, None),
        };
        if !is_requirement(requirement.trim()) {
            return wrong();
        }
        rest = match after {
            None => "",
            Some(after) if requirement.contains('(') => match after.strip_prefix(',') {
                Some(more) if !more.trim().is_empty() => more,
                _ => return wrong(),
            },
            Some(after) => after,
        };
    }
    Ok(())
}

/// One requirement of a selector of labels, without the closing bracket of a set.
fn is_requirement(text: &str) -> bool {
    if let Some((head, values)) = text.split_once('(') {
        let mut words = head.split_whitespace();
        let is_set = words.next().is_some_and(is_key) && matches!(words.next(), Some("in" | "notin"));
        return is_set && words.next().is_none() && values.split(',').all(|value| is_value(value.trim()));
    }
    let operators = ["!=", "==", "=", ">", "<"];
    match operators.into_iter().find_map(|operator| text.split_once(operator)) {
        Some((key, value)) => is_key(key.trim()) && is_value(value.trim()),
        None => is_key(text.strip_prefix('!').unwrap_or(text).trim()),
    }
}

fn is_key(text: &str) -> bool {
    let (prefix, key) = text.split_once('/').map_or((None, text), |(prefix, key)| (Some(prefix), key));
    prefix.is_none_or(|prefix| prefix.split('.').all(is_label)) && !key.is_empty() && is_value(key)
}

/// A value of a label, which may be empty.
fn is_value(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    text.is_empty()
        || (text.len() <= 63
            && text.starts_with(is_end)
            && text.ends_with(is_end)
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)))
}

/// A selector of fields: `spec.nodeName=a,status.phase!=Failed`.
fn fields(text: &str) -> Result<(), String> {
    let is_one = |part: &str| {
        let (field, _) = part.split_once('=').unwrap_or_default();
        let field = field.strip_suffix('!').unwrap_or(field).trim();
        !field.is_empty() && field.chars().all(|c| c.is_ascii_alphanumeric() || "-_./[]'".contains(c))
    };
    if text.is_empty() || text.split(',').all(is_one) {
        return Ok(());
    }
    Err(format!("cannot read the selector {text:?}: it is written spec.nodeName=a,status.phase!=Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_those_that_an_api_server_reads() {
        for good in [
            "",
            "a",
            "!a",
            "a=b",
            "a==b",
            "a!=b",
            "a=",
            "example.org/a=b",
            "a in (b,c)",
            "a notin (b), c=d",
            "a,b,c",
            "a in (b, c),d notin (e)",
            "a > 1",
            "x in ()",
            "a=b,c in (d)",
        ] {
            assert_eq!(selector(good), Ok(()), "{good}");
        }
        for bad in
            ["a in (b", "a in b", "a=b,", ",a", "a b", "=b", "a=b=c", "a in (b) c", "a=ä", "(", "a in (b),", "a;b"]
        {
            assert!(selector(bad).is_err(), "{bad}");
        }
        for good in ["", "spec.nodeName=a", "status.phase!=Failed,metadata.name==b", "spec.nodeName="] {
            assert_eq!(fields(good), Ok(()), "{good}");
        }
        for bad in ["a", "=a", "a=b,", "a b=c"] {
            assert!(fields(bad).is_err(), "{bad}");
        }
    }
}
