//! The command line of `node_exporter` 1.12, for those who put the agent in its place: each of its flags is taken as it
//! is, taken under the name that it has here, taken without effect, or refused by name with what to use instead.

use std::ffi::OsString;

use crate::slices;

/// Flags that go by another name here: those that `node_exporter` itself has renamed.
const RENAMED: &[(&str, &str)] = &[
    ("collector.diskstats.ignored-devices", "collector.diskstats.device-exclude"),
    ("collector.filesystem.ignored-fs-types", "collector.filesystem.fs-types-exclude"),
    ("collector.filesystem.ignored-mount-points", "collector.filesystem.mount-points-exclude"),
    ("collector.netdev.device-blacklist", "collector.netdev.device-exclude"),
    ("collector.netdev.device-whitelist", "collector.netdev.device-include"),
    ("collector.netdev.ignored-devices", "collector.netdev.device-exclude"),
    ("collector.qdisk.device-exclude", "collector.qdisc.device-exclude"),
    ("collector.qdisk.device-include", "collector.qdisc.device-include"),
    ("collector.systemd.unit-blacklist", "collector.systemd.unit-exclude"),
    ("collector.systemd.unit-whitelist", "collector.systemd.unit-include"),
];

/// Whether a flag has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

/// Flags that change nothing here.
const WITHOUT_EFFECT: &[(&str, Takes)] = &[
    // For tests of node_exporter.
    ("collector.qdisc.fixtures", Takes::Value),
    // The agent has as many threads as it needs.
    ("runtime.gomaxprocs", Takes::Value),
];

/// Switches that are no collector's and that cannot be had, and what to use instead.
const REFUSED: &[(&str, &str)] =
    &[("web.systemd-socket", "the agent opens its own sockets; --web.listen-address says where")];

/// A collector of `node_exporter` that the agent does not have.
#[derive(Debug)]
struct Missing {
    name: &'static str,
    /// Its options, which change nothing while it is off.
    options: &'static [(&'static str, Takes)],
    /// Why it is missing, and what to use instead.
    why: &'static str,
}

const MISSING: &[Missing] = &[
    Missing {
        name: "cpu_vulnerabilities",
        options: &[],
        why: "it changes with a boot only; let a script write it for --collector.textfile.directory",
    },
    Missing {
        name: "drm",
        options: &[],
        why: "it is for AMD's graphics cards only; let a script write it for --collector.textfile.directory",
    },
    Missing {
        name: "ethtool",
        options: &[
            ("device-exclude", Takes::Value),
            ("device-include", Takes::Value),
            ("metrics-include", Takes::Value),
        ],
        why: "its names differ by driver; --collector.netdev.enable-detailed-metrics shows each counter of the kernel, \
              --collector.netclass speed and carrier",
    },
    Missing {
        name: "logind",
        options: &[],
        why: "sessions are not asked for; --collector.systemd with --collector.systemd.unit-include='session-.*' shows \
              their units",
    },
    Missing {
        name: "mountstats",
        options: &[],
        why: "it has some hundred series for each mount; --collector.nfs shows what the machine asks of all servers",
    },
    Missing {
        name: "ntp",
        options: &[
            ("ip-ttl", Takes::Value),
            ("local-offset-tolerance", Takes::Value),
            ("max-distance", Takes::Value),
            ("protocol-version", Takes::Value),
            ("server", Takes::Value),
            ("server-is-local", Takes::Nothing),
            ("server-port", Takes::Value),
        ],
        why: "node_exporter has given it up; --collector.timex shows whether the clock is in step",
    },
    Missing {
        name: "nvmesubsystem",
        options: &[],
        why: "subsystems are not read; --collector.nvme shows controllers and namespaces",
    },
    Missing {
        name: "pcidevice",
        options: &[("idsfile", Takes::Value), ("names", Takes::Nothing)],
        why: "it changes with a boot only; let a script write it for --collector.textfile.directory",
    },
    Missing {
        name: "perf",
        options: &[
            ("cache-profilers", Takes::Value),
            ("cpus", Takes::Value),
            ("disable-cache-profilers", Takes::Nothing),
            ("disable-hardware-profilers", Takes::Nothing),
            ("disable-software-profilers", Takes::Nothing),
            ("hardware-profilers", Takes::Value),
            ("software-profilers", Takes::Value),
            ("tracepoint", Takes::Value),
        ],
        why: "counters of the processor are not read; --collector.schedstat shows how long processes waited for it",
    },
    Missing {
        name: "runit",
        options: &[("servicedir", Takes::Value)],
        why: "node_exporter has given it up; let a script write it for --collector.textfile.directory",
    },
    Missing {
        name: "supervisord",
        options: &[("url", Takes::Value)],
        why: "node_exporter has given it up; let a script write it for --collector.textfile.directory",
    },
    Missing {
        name: "sysctl",
        options: &[("include", Takes::Value), ("include-info", Takes::Value)],
        why: "settings are not read; let a script write them for --collector.textfile.directory",
    },
    Missing {
        name: "wifi",
        options: &[("fixtures", Takes::Value)],
        why: "stations are not asked for; --collector.netclass and --collector.netdev show wireless devices as all others",
    },
    Missing {
        name: "xfrm",
        options: &[],
        why: "errors of IPsec are not read; let a script write /proc/net/xfrm_stat for --collector.textfile.directory",
    },
];

/// The arguments as the agent knows them. An error says which flag cannot be had, why, and what to use instead.
pub fn translated(args: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut translated = Vec::new();
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        let Some((flag, value)) = arg.to_str().and_then(|text| text.strip_prefix("--")).map(parts) else {
            translated.push(arg);
            continue;
        };
        let positive = flag.strip_prefix("no-").unwrap_or(flag);
        if let Some(takes) = without_effect(positive) {
            if takes == Takes::Value && value.is_none() {
                args.next();
            }
        } else if let Some(why) = refusal(positive) {
            if positive == flag && value != Some("false") {
                return Err(format!("--{flag} is not here: {why}"));
            }
        } else if let Some((_, ours)) = RENAMED.iter().find(|(theirs, _)| *theirs == flag) {
            translated.push(match value {
                Some(value) => format!("--{ours}={value}").into(),
                None => format!("--{ours}").into(),
            });
        } else if let Some(name) = positive.strip_prefix("collector.").filter(|name| slices::is_known(name)) {
            // Switches of node_exporter take a value too: --collector.cpu=false.
            let is_on = (positive == flag) != (value == Some("false"));
            let option = if is_on { "enable" } else { "disable" };
            translated.push(format!("--collector.{option}={name}").into());
        } else {
            translated.push(arg);
        }
    }
    Ok(translated)
}

/// A flag's name, and the value that follows it after an equals sign.
fn parts(flag: &str) -> (&str, Option<&str>) {
    flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)))
}

fn without_effect(flag: &str) -> Option<Takes> {
    if let Some((_, takes)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == flag) {
        return Some(*takes);
    }
    let (collector, option) = flag.strip_prefix("collector.")?.split_once('.')?;
    let missing = MISSING.iter().find(|missing| missing.name == collector)?;
    missing.options.iter().find(|(known, _)| *known == option).map(|(_, takes)| *takes)
}

/// Why a switch cannot be had. Switched off it can be: that is what it is.
fn refusal(flag: &str) -> Option<&'static str> {
    if let Some((_, why)) = REFUSED.iter().find(|(known, _)| *known == flag) {
        return Some(why);
    }
    let name = flag.strip_prefix("collector.")?;
    MISSING.iter().find(|missing| missing.name == name).map(|missing| missing.why)
}

#[cfg(test)]
mod tests {
    use daemon::Cli;

    use super::*;
    use crate::{check, config::Config, program::PROGRAM};

    /// Every flag of `node_exporter` 1.12.1, with its default or a value that it takes.
    const FLAGS: &str = include_str!("testdata/flags-1.12.txt");

    fn words(all: &[&str]) -> Result<Vec<String>, String> {
        let args = all.iter().map(OsString::from);
        Ok(translated(args)?.into_iter().map(|arg| arg.into_string().unwrap()).collect())
    }

    fn config(args: &[&str]) -> Result<Config, String> {
        let args = words(&[&["agent"], args].concat())?;
        let cli = Cli::<Config>::new(&PROGRAM).check(check::check);
        cli.parse_from(args.into_iter().map(OsString::from), |_| None)
            .map(|loaded| loaded.config)
            .map_err(|error| error.to_string())
    }

    fn spelt(flag: &str, value: Option<&str>) -> String {
        value.map_or_else(|| format!("--{flag}"), |value| format!("--{flag}={value}"))
    }

    #[test]
    fn every_flag_of_node_exporter_is_taken_or_refused_by_name() {
        let (mut refused, mut taken) = (Vec::new(), Vec::new());
        for line in FLAGS.lines() {
            let (flag, value) = parts(line);
            match words(&[&format!("--{line}")]) {
                Err(error) if error.starts_with(&format!("--{flag} is not here: ")) => refused.push(flag),
                Err(error) => panic!("{error}"),
                Ok(_) => taken.push((flag, value)),
            }
        }
        // Not all go together: a pattern to show and one to leave out, and two names of one flag.
        let renamed = |flag: &str| RENAMED.iter().any(|(theirs, _)| *theirs == flag);
        let (old, new): (Vec<_>, Vec<_>) = taken.into_iter().partition(|(flag, _)| renamed(flag));
        let (include, others): (Vec<_>, Vec<_>) = new.into_iter().partition(|(flag, _)| flag.ends_with("include"));
        for group in [others, include].into_iter().chain(old.into_iter().map(|flag| vec![flag])) {
            let together: Vec<String> = group.iter().map(|(flag, value)| spelt(flag, *value)).collect();
            let together: Vec<&str> = together.iter().map(String::as_str).collect();
            assert_eq!(config(&together).map(drop), Ok(()));
            // The other way to write them: a word of its own for the value, and switched off.
            let apart = group.iter().flat_map(|(flag, value)| match value {
                None => vec![format!("--no-{flag}")],
                Some("") => Vec::new(),
                Some(value) => vec![format!("--{flag}"), (*value).to_owned()],
            });
            let apart: Vec<String> = apart.chain(["--collector.disable-defaults".to_owned()]).collect();
            let apart: Vec<&str> =
                apart.iter().map(String::as_str).filter(|arg| *arg != "--no-collector.disable-defaults").collect();
            let config = config(&apart).unwrap_or_else(|error| panic!("{error}"));
            assert!(config.collector.disable_defaults, "what follows is read on");
        }
        let missing = MISSING.iter().map(|missing| format!("collector.{}", missing.name));
        let all: Vec<String> = missing.chain(REFUSED.iter().map(|(flag, _)| (*flag).to_owned())).collect();
        assert_eq!(refused, all);
    }

    #[test]
    fn a_reason_names_flags_that_are_here() {
        for Missing { name, why, .. } in MISSING {
            assert!(!slices::is_known(name), "{name} is there");
            let named =
                why.split(|c: char| c.is_whitespace() || ";,".contains(c)).filter(|word| word.starts_with("--"));
            for flag in named {
                let (bare, _) = parts(flag);
                let sample = if bare.ends_with("directory") || bare.ends_with("include") {
                    format!("{bare}=a")
                } else {
                    bare.to_owned()
                };
                assert!(config(&[&sample]).is_ok(), "{name}: {flag}");
            }
        }
    }

    #[test]
    fn what_is_not_there_can_be_switched_off_and_not_on() {
        assert_eq!(words(&["--no-collector.wifi", "--collector.wifi=false"]), Ok(vec![]));
        assert!(words(&["--collector.wifi"]).unwrap_err().contains("--collector.netclass"));
        assert_eq!(words(&["--no-collector.hwmon"]), Ok(vec!["--collector.disable=hwmon".to_owned()]));
        assert_eq!(words(&["--collector.hwmon=false"]), Ok(vec!["--collector.disable=hwmon".to_owned()]));
    }

    #[test]
    fn a_flag_that_was_renamed_means_what_it_meant() {
        let config = config(&["--collector.filesystem.ignored-mount-points=^/tmp"]).unwrap();
        assert_eq!(config.collector.filesystem.mount_points_exclude.as_str(), "^/tmp");
        let dropped = words(&["--runtime.gomaxprocs", "2", "--collector.ntp.server=a", "--log.level=info"]);
        assert_eq!(dropped, Ok(vec!["--log.level=info".to_owned()]));
    }
}
