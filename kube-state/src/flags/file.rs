//! The configuration file: upstream's keys. Values in it override flags.

use std::{fmt, io::ErrorKind, path::Path, sync::LazyLock};

use daemon::ConfigError;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor},
};

use crate::custom;

use super::{
    config::BadFlags,
    flag::{Flag, Setting},
    table::{self, Flags},
};

/// The flags with what their configuration file says in place of theirs, and the text of that file.
pub fn with_file(flags: &Flags) -> Result<(Flags, Option<String>), BadFlags> {
    let Some(path) = &flags.config else { return Ok((flags.clone(), None)) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((overlay(flags.clone(), &text, path)?, Some(text))),
        Err(error) if error.kind() == ErrorKind::NotFound && flags.continue_without_config => Ok((flags.clone(), None)),
        Err(error) => Err(ConfigError::whole(path, format!("cannot be read: {error}")).into()),
    }
}

/// The flags with what the text of the file says in place of theirs. Errors name the file, line and key.
fn overlay(mut flags: Flags, text: &str, path: &Path) -> Result<Flags, ConfigError> {
    let file: File = daemon::parse_yaml(custom::first_document(text).0, path)?;
    for set in file.0 {
        set(&mut flags);
    }
    Ok(flags)
}

/// The settings of the file, in an order in which a flag's own key goes before others of the same meaning.
#[derive(Default)]
struct File(Vec<Setting<Flags>>);

/// All keys, for the message about one that is none.
static KEYS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut keys: Vec<&str> = table::all().flat_map(|flag| flag.keys).copied().collect();
    keys.sort_unstable();
    keys
});

/// A key of the file: the flag that it sets, and whether it is the flag's own.
struct Key(&'static Flag<Flags>, bool);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;

        impl Visitor<'_> for Of {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
                let flag = table::all().find(|flag| flag.keys.contains(&key));
                let flag = flag.ok_or_else(|| E::unknown_field(key, &KEYS))?;
                Ok(Key(flag, flag.keys.first() == Some(&key)))
            }
        }

        deserializer.deserialize_identifier(Of)
    }
}

/// Reads the value below a key.
struct Below(&'static Flag<Flags>);

impl<'de> DeserializeSeed<'de> for Below {
    type Value = Setting<Flags>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.read(deserializer)
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;

        impl<'de> Visitor<'de> for Of {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("options by their keys")
            }

            /// An empty file.
            fn visit_unit<E>(self) -> Result<File, E> {
                Ok(File::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let (mut own, mut others) = (Vec::new(), Vec::new());
                while let Some(Key(flag, is_own)) = map.next_key()? {
                    let set = map.next_value_seed(Below(flag))?;
                    if is_own { own.push(set) } else { others.push(set) }
                }
                others.append(&mut own);
                Ok(File(others))
            }
        }

        deserializer.deserialize_map(Of)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;

    use super::*;

    fn overlaid(text: &str) -> Result<Flags, String> {
        let flags = Flags::try_parse_from(["x", "--port=1", "--resources=pods", "--host=127.0.0.1"]).unwrap();
        overlay(flags, text, Path::new("c.yaml")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_file_says_goes_before_flags() {
        let text = "port: 9\nresources:\n  nodes: {}\n  jobs: {}\nlabels_allow_list:\n  pods: [app, 'team/*']\nserver_read_timeout: 90s\nnamespaces: [a, b]\nlabel_selectors:\n  pods: a in (b,c)\n";
        let flags = overlaid(text).unwrap();
        assert_eq!((flags.port, flags.host.as_str()), (9, "127.0.0.1"));
        assert_eq!(
            (flags.resources.join(" "), flags.namespaces.join(" ")),
            ("jobs nodes".to_owned(), "a b".to_owned())
        );
        assert_eq!(flags.metric_labels_allowlist, "pods=[app,team/*]");
        assert_eq!(flags.label_selector, ["pods=a in (b,c)"]);
        assert_eq!(flags.server_read_timeout, Duration::from_secs(90));
        assert_eq!(overlaid("").unwrap().port, 1);
        assert_eq!(overlaid("port: 9\n---\nport: 10\n").unwrap().port, 9, "the first document is read");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(overlaid("prot: 1\n").unwrap_err().starts_with("c.yaml:1:1: key prot: unknown field `prot`"));
        assert!(overlaid("port: 1\nserver_idle_timeout: 5 parsecs\n").unwrap_err().starts_with("c.yaml:2:"));
    }
}
