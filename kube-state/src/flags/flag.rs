//! The definition of a flag: name, key in the file, default, purpose, and notation of values. `table` has
//! one for each; the command line, the file, the documentation and the completion are all made from that.
//!
//! Values on the command line are pflag's, since kube-state-metrics' flags are: a flag that is given twice has its last
//! value, or its values add up; an empty text is as good as none.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{cron, literal, number, select::comma_list};

/// A flag of a program whose flags make a `T`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag<T: 'static> {
    /// Without its dashes.
    pub(super) name: &'static str,
    /// Its key in the file, and then others by which it goes there. None: the file does not have it.
    pub(super) keys: &'static [&'static str],
    /// As it is written; empty when there is none.
    pub(super) default: &'static str,
    /// What it is for, in a sentence or more.
    pub(super) about: &'static str,
    /// Under which heading it is shown.
    pub(super) group: Group,
    /// How its values are written, and where they go.
    pub(super) value: Value<T>,
}

/// Where a flag comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// kube-state-metrics.
    Upstream,
    /// Ours.
    Ours,
    /// Upstream's logger; those that mean nothing are not shown.
    Klog,
    /// For those who build the program.
    Build,
}

/// The notation of a flag's values, and the field that they go to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<T: 'static> {
    /// True or false; true when the flag stands alone.
    Switch(fn(&mut T) -> &mut bool),
    /// Any text.
    Text(fn(&mut T) -> &mut String),
    /// A path, or none.
    Path(fn(&mut T) -> &mut Option<PathBuf>),
    /// One of these words.
    Word(&'static [&'static str], fn(&mut T) -> &mut String),
    /// Names with commas between them. Those of repeated flags add up; those of the file take their place, if there
    /// are any.
    Names(fn(&mut T) -> &mut Vec<String>),
    /// The same, but an empty list of the file counts.
    List(fn(&mut T) -> &mut Vec<String>),
    /// Keys by kind: `pods=[app,team/*],nodes=[*]`. A mapping in the file.
    Keys(fn(&mut T) -> &mut String),
    /// A selector of one kind: `pods=app=web`. Those of repeated flags add up. A mapping in the file.
    Selectors(fn(&mut T) -> &mut Vec<String>),
    /// The number of a port.
    Port(fn(&mut T) -> &mut u16),
    /// A whole number.
    Count(fn(&mut T) -> &mut u32),
    /// A large whole number.
    Limit(fn(&mut T) -> &mut u64),
    /// A number.
    Ratio(fn(&mut T) -> &mut f64),
    /// A time in Go's notation: `1m30s`.
    Time(fn(&mut T) -> &mut Duration),
    /// Log verbosity.
    Level(fn(&mut T) -> &mut u8),
    /// Taken and passed over: true or false.
    IgnoredSwitch,
    /// Taken and passed over, if this says that it is such a value.
    Ignored(fn(&str) -> bool),
}

impl<T> Flag<T> {
    /// Whether it may stand without a value.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self.value, Value::Switch(_) | Value::IgnoredSwitch)
    }

    /// Whether a page or a completion shows it.
    pub(super) fn is_shown(&self) -> bool {
        match self.group {
            Group::Upstream | Group::Ours => true,
            Group::Klog => matches!(self.value, Value::Level(_)),
            Group::Build => false,
        }
    }

    /// Takes a value from the command line. Fails with what is wrong.
    pub(super) fn set(&self, flags: &mut T, text: &str) -> Result<(), String> {
        let text_of = |to: &mut String| text.clone_into(to);
        match self.value {
            Value::Switch(to) => *to(flags) = truth(text)?,
            Value::IgnoredSwitch => {
                truth(text)?;
            }
            Value::Text(to) | Value::Keys(to) => text_of(to(flags)),
            Value::Path(to) => *to(flags) = path(text),
            Value::Word(words, to) if words.contains(&text) => text_of(to(flags)),
            Value::Word(words, _) => return Err(format!("it is one of {}", words.join(", "))),
            Value::Names(to) | Value::List(to) => to(flags).extend(comma_list(text).map(str::to_owned)),
            Value::Selectors(to) => to(flags).push(text.to_owned()),
            Value::Port(to) => *to(flags) = whole(text)?,
            Value::Count(to) => *to(flags) = whole(text)?,
            Value::Limit(to) => *to(flags) = whole(text)?,
            Value::Ratio(to) => *to(flags) = number::parse(text).ok_or("it is a number")?,
            Value::Time(to) => *to(flags) = duration(text)?,
            Value::Level(to) => {
                let level: i32 = text.parse().map_err(|_| "it is a whole number")?;
                *to(flags) = u8::try_from(level.max(0)).unwrap_or(u8::MAX);
            }
            Value::Ignored(is_one) if is_one(text) => {}
            Value::Ignored(_) => return Err("it is none of the flag's values".to_owned()),
        }
        Ok(())
    }

    /// Its value, as it may be written; nothing for flags that are passed over.
    pub(super) fn written(&self, flags: &mut T) -> String {
        match self.value {
            Value::Switch(to) => to(flags).to_string(),
            Value::Text(to) | Value::Word(_, to) | Value::Keys(to) => to(flags).clone(),
            Value::Path(to) => to(flags).as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            Value::Names(to) | Value::List(to) => to(flags).join(","),
            Value::Selectors(to) => to(flags).join(" "),
            Value::Port(to) => to(flags).to_string(),
            Value::Count(to) => to(flags).to_string(),
            Value::Limit(to) => to(flags).to_string(),
            Value::Ratio(to) => to(flags).to_string(),
            Value::Time(to) => to(flags).as_nanos().to_string(),
            Value::Level(to) => to(flags).to_string(),
            Value::IgnoredSwitch | Value::Ignored(_) => String::new(),
        }
    }

    /// Reads the value that the file has. One that is null leaves the flag as it is.
    pub(super) fn read<'de, D: Deserializer<'de>>(&self, file: D) -> Result<Setting<T>, D::Error> {
        Ok(match self.value {
            Value::Switch(to) => setting(to, Option::<Truth>::deserialize(file)?.map(|truth| truth.0)),
            Value::Text(to) => setting(to, Option::deserialize(file)?),
            Value::Path(to) => setting(to, Option::<String>::deserialize(file)?.map(|text| path(&text))),
            Value::Word(words, to) => {
                let word: Option<String> = Option::deserialize(file)?;
                if word.as_ref().is_some_and(|word| !words.contains(&word.as_str())) {
                    return Err(D::Error::custom(format!("it is one of {}", words.join(", "))));
                }
                setting(to, word)
            }
            Value::Names(to) => {
                let names = Option::<Names>::deserialize(file)?.map(|names| names.0);
                setting(to, names.filter(|names| !names.is_empty()))
            }
            Value::List(to) => setting(to, Option::<Names>::deserialize(file)?.map(|names| names.0)),
            Value::Keys(to) => {
                let lists: Option<BTreeMap<String, Option<Vec<String>>>> = Option::deserialize(file)?;
                setting(to, lists.filter(|lists| !lists.is_empty()).as_ref().map(keys))
            }
            Value::Selectors(to) => {
                let by_kind: Option<BTreeMap<String, String>> = Option::deserialize(file)?;
                let written = |(kind, selector)| format!("{kind}={selector}");
                setting(to, by_kind.map(|by_kind| by_kind.into_iter().map(written).collect()))
            }
            Value::Port(to) => setting(to, Option::deserialize(file)?),
            Value::Count(to) => setting(to, Option::deserialize(file)?),
            Value::Limit(to) => setting(to, Option::deserialize(file)?),
            Value::Ratio(to) => setting(to, Option::deserialize(file)?),
            Value::Level(to) => setting(to, Option::deserialize(file)?),
            Value::Time(to) => {
                let time = Option::<String>::deserialize(file)?.map(|text| duration(&text)).transpose();
                setting(to, time.map_err(D::Error::custom)?)
            }
            Value::IgnoredSwitch | Value::Ignored(_) => {
                IgnoredAny::deserialize(file)?;
                Box::new(|_| {})
            }
        })
    }
}

/// Puts a value of the file where it goes.
pub(super) type Setting<T> = Box<dyn FnOnce(&mut T)>;

fn setting<T: 'static, V: 'static>(to: fn(&mut T) -> &mut V, value: Option<V>) -> Setting<T> {
    Box::new(move |flags| {
        if let Some(value) = value {
            *to(flags) = value;
        }
    })
}

/// An empty path is none.
fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

fn truth(text: &str) -> Result<bool, &'static str> {
    literal::truth(text).ok_or("it is true or false")
}

fn whole<N: TryFrom<i64>>(text: &str) -> Result<N, &'static str> {
    let number = literal::whole(text).ok_or("it is a whole number")?;
    N::try_from(number).map_err(|_| if number < 0 { "it is not below zero" } else { "it is too large" })
}

/// Go's notation: `1m30s`.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let nanos = cron::duration_nanos(text).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).ok_or("write it as 30s, 5m or 1m30s")
}

/// As the command line writes it: `pods=[app,team/*],nodes=[*]`.
fn keys(lists: &BTreeMap<String, Option<Vec<String>>>) -> String {
    let one = |(kind, keys): (&String, &Option<Vec<String>>)| {
        format!("{kind}=[{}]", keys.as_deref().unwrap_or_default().join(","))
    };
    lists.iter().map(one).collect::<Vec<_>>().join(",")
}

/// A truth value of the file: as YAML has it, or in the words that flags take.
struct Truth(bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;

        impl Visitor<'_> for Of {
            type Value = Truth;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Truth, E> {
                Ok(Truth(truth))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Truth, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Truth, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Truth, E> {
                truth(text).map(Truth).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Of)
    }
}

/// Names of the file: a list, or a mapping whose values do not count.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;

        impl<'de> Visitor<'de> for Of {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or a mapping")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element::<String>()? {
                    names.push(name);
                }
                Ok(Names(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    names.push(name);
                }
                names.sort_unstable();
                Ok(Names(names))
            }
        }

        deserializer.deserialize_any(Of)
    }
}
