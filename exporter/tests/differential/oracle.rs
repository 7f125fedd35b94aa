//! Where the kernel says what a series shows: files, and the fields in them, as written down in a table. Nothing here
//! uses the parsers of the collectors.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Which machines a source is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    Any,
    V1,
    V2,
    /// Only for the row of the machine, `id="/"`.
    Root,
}

/// What to take of the line that was found.
#[derive(Clone, Copy, Debug)]
enum Take {
    /// The word at this place.
    Word(usize),
    /// The word at this place, which is hexadecimal.
    Hex(usize),
    /// What follows this in the word that starts with it.
    After(&'static str),
    /// The word that stands where the line of names above has this name.
    Named(&'static str),
}

/// A number in a file: `CONTROLLER:FILE` of the cgroup, `proc:FILE`, `sys:FILE`, `netns:FILE` (of a process of the container).
/// `{label}` stands for the value of the series' label.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    file: &'static str,
    on: Vec<(usize, &'static str)>,
    take: Take,
    per: f64,
    times: f64,
    sign: f64,
    or_zero: bool,
}

impl Field {
    fn new(file: &'static str, take: Take) -> Self {
        Self { file, on: Vec::new(), take, per: 1.0, times: 1.0, sign: 1.0, or_zero: false }
    }

    /// In units of which so many make one.
    pub(crate) fn per(mut self, per: f64) -> Self {
        self.per = per;
        self
    }

    /// In units of so many each.
    pub(crate) fn times(mut self, times: f64) -> Self {
        self.times = times;
        self
    }

    /// To be taken away.
    pub(crate) fn minus(mut self) -> Self {
        self.sign = -1.0;
        self
    }

    /// 0 where the kernel has no such file or line.
    pub(crate) fn or_zero(mut self) -> Self {
        self.or_zero = true;
        self
    }
}

/// The number that is the whole file.
pub(crate) fn whole(file: &'static str) -> Field {
    Field::new(file, Take::Word(0))
}

/// The number behind the key that starts a line.
pub(crate) fn key(file: &'static str, key: &'static str) -> Field {
    word(file, &[(0, key)], 1)
}

/// A word of the line that has these words.
pub(crate) fn word(file: &'static str, on: &[(usize, &'static str)], at: usize) -> Field {
    Field { on: on.to_vec(), ..Field::new(file, Take::Word(at)) }
}

/// A hexadecimal word of the line that has these words.
pub(crate) fn hex(file: &'static str, on: &[(usize, &'static str)], at: usize) -> Field {
    Field { on: on.to_vec(), ..Field::new(file, Take::Hex(at)) }
}

/// What follows `start` in the line that has these words.
pub(crate) fn after(file: &'static str, on: &[(usize, &'static str)], start: &'static str) -> Field {
    Field { on: on.to_vec(), ..Field::new(file, Take::After(start)) }
}

/// In files of pairs of lines, names above values: the value of a name.
pub(crate) fn named(file: &'static str, line: &'static str, name: &'static str) -> Field {
    Field { on: vec![(0, line)], ..Field::new(file, Take::Named(name)) }
}

/// A sum of fields, for machines of a setup.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    setup: Setup,
    fields: Vec<Field>,
}

/// On every machine.
pub(crate) fn any(field: Field) -> Source {
    Source { setup: Setup::Any, fields: vec![field] }
}

/// Where the controller is on version 1.
pub(crate) fn v1(field: Field) -> Source {
    Source { setup: Setup::V1, fields: vec![field] }
}

/// Where the controller is on version 2.
pub(crate) fn v2(field: Field) -> Source {
    Source { setup: Setup::V2, fields: vec![field] }
}

/// For the machine's own row.
pub(crate) fn root(field: Field) -> Source {
    Source { setup: Setup::Root, fields: vec![field] }
}

/// Always 0: the kernel does not count it.
pub(crate) fn zero(setup: Setup) -> Source {
    Source { setup, fields: Vec::new() }
}

impl Source {
    /// And this, too.
    pub(crate) fn and(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }
}

/// Where the series of a family come from: the first source that has numbers.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    /// The family; with `*` at its end every family that starts so.
    pub(crate) family: &'static str,
    /// Only the series with this label value.
    only: Option<(&'static str, &'static str)>,
    pub(crate) sources: Vec<Source>,
}

/// For all series of a family.
pub(crate) fn oracle<const N: usize>(family: &'static str, sources: [Source; N]) -> Oracle {
    Oracle { family, only: None, sources: sources.into() }
}

/// For the series of a family with a label value.
pub(crate) fn of<const N: usize>(
    family: &'static str,
    label: &'static str,
    value: &'static str,
    sources: [Source; N],
) -> Oracle {
    Oracle { family, only: Some((label, value)), sources: sources.into() }
}

impl Oracle {
    /// Whether it is for this family.
    pub(crate) fn is_of(&self, family: &str) -> bool {
        match self.family.strip_suffix('*') {
            Some(start) => family.starts_with(start),
            None => family == self.family,
        }
    }

    /// Whether it is for this series.
    pub(crate) fn fits(&self, family: &str, labels: &BTreeMap<String, String>) -> bool {
        self.is_of(family) && self.only.is_none_or(|(name, value)| labels.get(name).is_some_and(|found| found == value))
    }
}

/// Where a series is: what the words of the table stand for.
#[derive(Clone, Debug)]
pub(crate) struct Series<'a> {
    pub(crate) labels: &'a BTreeMap<String, String>,
    /// The path of its cgroup, and a process in it.
    pub(crate) cgroup: Option<&'a str>,
    pub(crate) pid: Option<u32>,
    /// What of the family's name the `*` of the table stands for.
    pub(crate) rest: &'a str,
}

/// A source with everything filled in.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    fields: Vec<PlainField>,
}

#[derive(Clone, Debug)]
struct PlainField {
    path: PathBuf,
    on: Vec<(usize, String)>,
    field: Field,
    name: String,
}

/// The files of one reading. A file that could not be read is `None`.
pub(crate) type Files = BTreeMap<PathBuf, Option<String>>;

impl Plain {
    /// `None` when the source is not for this series or machine.
    pub(crate) fn of(source: &Source, series: &Series<'_>) -> Option<Self> {
        let is_root = series.cgroup == Some("/");
        if source.setup == Setup::Root && !is_root {
            return None;
        }
        let mut fields = Vec::new();
        for field in &source.fields {
            let path = path_of(field.file, source.setup, series)?;
            let on = field.on.iter().map(|(at, text)| Some((*at, fill(text, series)?))).collect::<Option<Vec<_>>>()?;
            let name = if let Take::Named(name) = field.take { fill(name, series)? } else { String::new() };
            fields.push(PlainField { path, on, field: field.clone(), name });
        }
        Some(Self { fields })
    }

    /// The files it reads.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.fields.iter().map(|field| field.path.as_path())
    }

    /// The least and the most that a series can show that was read between the two readings; the terms that are taken
    /// away count the other way round.
    pub(crate) fn bounds(&self, before: &Files, after: &Files) -> Option<(f64, f64)> {
        let (mut least, mut most) = (0.0, 0.0);
        for field in &self.fields {
            let (early, late) = (field.value(before)?, field.value(after)?);
            let (early, late) = (field.field.sign * early, field.field.sign * late);
            (least, most) = (least + early.min(late), most + early.max(late));
        }
        // What is taken away may be ahead for a moment; a counter is never below 0.
        Some((f64::max(least, 0.0), f64::max(most, 0.0)))
    }
}

impl PlainField {
    fn value(&self, files: &Files) -> Option<f64> {
        let found = files.get(&self.path).and_then(|text| self.find(text.as_ref()?));
        let found = if self.field.or_zero { found.or(Some(0.0)) } else { found }?;
        Some(found / self.field.per * self.field.times)
    }

    fn find(&self, text: &str) -> Option<f64> {
        let mut names = "";
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if self.on.iter().all(|(at, word)| words.get(*at).is_some_and(|found| found == word)) {
                match self.field.take {
                    Take::Word(at) => return words.get(at)?.parse().ok(),
                    Take::Hex(at) => return u32::from_str_radix(words.get(at)?, 16).ok().map(f64::from),
                    Take::After(start) => {
                        return words.iter().find_map(|word| word.strip_prefix(start))?.parse().ok();
                    }
                    Take::Named(_) if names.is_empty() => names = line,
                    Take::Named(_) => {
                        let at = names.split_whitespace().position(|name| name == self.name)?;
                        return words.get(at)?.parse().ok();
                    }
                }
            }
        }
        None
    }
}

/// `{label}` by its value, `{base}` by the name of the disk, `{number:label}` by the number `major:minor` of the block device, `{hex8:label}` in eight
/// hexadecimal digits, `{*}` by the rest of the family's name, `{*-}` by the same without underscores.
fn fill(text: &str, series: &Series<'_>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((start, tail)) = rest.split_once('{') {
        let (word, tail) = tail.split_once('}')?;
        filled.push_str(start);
        let label = |name: &str| series.labels.get(name);
        match word.split_once(':') {
            Some(("number", name)) => filled.push_str(&device_number(label(name)?)?),
            Some(("hex8", name)) => write!(filled, "{:08x}", label(name)?.parse::<u32>().ok()?).ok()?,
            _ if word == "*" => filled.push_str(series.rest),
            _ if word == "*<" => filled.push_str(series.rest.split_once('_')?.0),
            _ if word == "*>" => filled.push_str(series.rest.split_once('_')?.1),
            _ if word == "*-" => filled.push_str(&series.rest.replace('_', "")),
            _ if word == "base" => filled.push_str(disk(label("device")?)?),
            _ => filled.push_str(label(word)?),
        }
        rest = tail;
    }
    filled.push_str(rest);
    Some(filled)
}

/// The name of a disk in diskstats. A kubelet has figures of disks alone, and zeros for a loop device that is mounted.
fn disk(device: &str) -> Option<&str> {
    let name = device.trim_start_matches("/dev/");
    (!["loop", "ram", "sr"].iter().any(|other| name.starts_with(other))).then_some(name)
}

fn device_number(device: &str) -> Option<String> {
    let name = device.strip_prefix("/dev/")?.replace('/', "!");
    Some(std::fs::read_to_string(format!("/sys/class/block/{name}/dev")).ok()?.trim().to_owned())
}

fn path_of(file: &str, setup: Setup, series: &Series<'_>) -> Option<PathBuf> {
    let (what, file) = file.split_once(':')?;
    let file = fill(file, series)?;
    match what {
        "proc" => Some(Path::new("/proc").join(file)),
        "sys" => Some(Path::new("/sys").join(file)),
        "netns" => Some(Path::new("/proc").join(series.pid?.to_string()).join("net").join(file)),
        controller => {
            let cgroup = series.cgroup?.trim_start_matches('/');
            Some(hierarchy(controller, setup)?.join(cgroup).join(file))
        }
    }
}

/// Where the controller's files of that version are, if the machine has them there.
fn hierarchy(controller: &str, setup: Setup) -> Option<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    let all_v2 = top.join("cgroup.controllers").exists();
    let folder = match (controller, all_v2, setup) {
        (_, true, Setup::V1) => return None,
        (_, true, _) => top.to_owned(),
        ("unified", false, _) => top.join("unified"),
        (_, false, Setup::V2) => return None,
        (name, false, _) => top.join(name),
    };
    folder.exists().then_some(folder)
}

impl Source {
    /// The oracle of a family that has this source alone.
    pub(crate) fn named(self, family: &'static str) -> Oracle {
        Oracle { family, only: None, sources: vec![self] }
    }
}
