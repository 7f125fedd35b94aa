//! The flag that was most likely meant by one that is not known. Never one that says the opposite: somebody who leaves
//! mount points out must not be told of the flag that shows nothing but them.

use clap::{
    Command, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// Words that leave out, and words that take in.
const SIDES: [&[&str]; 2] = [
    &[
        "blacklist",
        "deny",
        "denylist",
        "disable",
        "disabled",
        "exclude",
        "excluded",
        "ignore",
        "ignored",
        "omit",
        "skip",
        "without",
    ],
    &["allow", "allowlist", "enable", "enabled", "include", "included", "only", "whitelist"],
];

/// How much alike two names are that can be meant for each other, and two words that are one word.
const ALIKE: (f64, f64) = (0.8, 0.9);

/// The error with the right suggestion, or none. `more` are flags that the command line knows besides those of `command`.
#[must_use]
pub fn suggested(mut error: Error, command: &Command, more: &[String]) -> Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    error.remove(ContextKind::SuggestedArg);
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return error };
    let given = given.trim_start_matches('-').split('=').next().unwrap_or_default();
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_long());
    let known = shown.chain(more.iter().map(String::as_str));
    if let Some(meant) = meant(given, known) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(meant));
    }
    error
}

fn meant<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    // A switch that is switched off is meant for one that is.
    let (no, given) = given.strip_prefix("no-").map_or(("", given), |given| ("no-", given));
    let likeness = |name: &str| strsim::jaro_winkler(name, given);
    let fit = known.filter(|name| likeness(name) > ALIKE.0 && side(name) * side(given) >= 0);
    let best = fit.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    Some(format!("--{no}{best}"))
}

/// Below zero for what leaves out, above for what takes in.
fn side(flag: &str) -> i8 {
    let has = |words: &[&str]| {
        flag.split(['-', '.', '_']).any(|part| words.iter().any(|word| strsim::jaro_winkler(word, part) > ALIKE.1))
    };
    let [out, within] = SIDES.map(has);
    i8::from(within && !out) - i8::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_never_says_the_opposite() {
        let known = [
            "collector.filesystem.mount-points-include",
            "collector.filesystem.mount-points-exclude",
            "collector.filesystem",
            "metric-allowlist",
            "metric-denylist",
            "kubernetes.disable",
            "web.enable-lifecycle",
            "collector.cpu.guest",
        ];
        for (given, expected) in [
            ("collector.filesystem.ignored-mount-points", None),
            ("collector.filesystem.mount-points-exlude", Some("--collector.filesystem.mount-points-exclude")),
            ("collector.filesystem.mount-point-include", Some("--collector.filesystem.mount-points-include")),
            ("collector.filesytem", Some("--collector.filesystem")),
            ("no-collector.cpu.gest", Some("--no-collector.cpu.guest")),
            ("metric-blacklist", Some("--metric-denylist")),
            ("metric-whitelist", Some("--metric-allowlist")),
            ("kubernetes.enable", None),
            ("web.disable-lifecycle", None),
            ("zzz", None),
        ] {
            let meant = meant(given, known.into_iter());
            let is_right = match (&meant, expected) {
                (Some(meant), Some(expected)) => meant == expected,
                (None, None) => true,
                // Nothing that says the opposite, whatever it is.
                (Some(meant), None) => side(meant) * side(given) >= 0 && side(meant) != 0,
                (None, Some(_)) => false,
            };
            assert!(is_right, "{given}: {meant:?}");
        }
    }
}
