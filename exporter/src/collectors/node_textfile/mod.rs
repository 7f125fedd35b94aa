//! Metrics from `*.prom` files in given folders, in text 0.0.4, as cron jobs and batch scripts write them (to another
//! name first, then renamed).
//!
//! Folders are named as the agent sees them. A file with a wrong line or with times of its own is left out as a whole;
//! a family that does not go with that of an earlier file, or that the node view has itself, is left out alone. In each
//! case `node_textfile_scrape_error` is 1 and the file stands in the log.

mod glob;
mod merge;

use std::{collections::HashSet, io};

use expo::{Format, ParsedFamily, line_names, parse_lenient};
use kernfs::{Dir, ReadError, Reader, text};
use metric::{Count, Desc, Family, Label, Timestamp};

use self::merge::{Merged, has_times, plain};
use super::node::{entries, gauge, malformed};
use crate::spec::{Collector, Context, Scrape, Spec, Unavailable, View};

static ERROR: Family<Count, 0> =
    gauge("node_textfile_scrape_error", "Whether a file or folder could not be read or made no sense.", &[]);
static MTIME: Family<Timestamp, 1> = gauge(
    "node_textfile_mtime_seconds",
    "When the file was last written.",
    &[Label::open("file", "files of the given folders")],
);
static ALL: &[&Desc] = &[ERROR.desc(), MTIME.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_textfile",
    about: "Metrics that others leave in files.",
    default_on: true,
    needs: &[],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeTextfile {
    patterns: Vec<String>,
    /// Names that the view has itself.
    taken: HashSet<&'static str>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let patterns = context.config.collector.textfile.directory.clone();
    let taken = (context.declared)(View::Node);
    Ok(Box::new(NodeTextfile { patterns, taken }))
}

impl Collector for NodeTextfile {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let gathered = gather(&self.patterns, &self.taken, scrape.reader);
        for (file, written) in &gathered.written {
            scrape.out.put(&MTIME, [file], *written);
        }
        scrape.out.put(&ERROR, [], !gathered.problems.is_empty());
        scrape.others.families.extend(gathered.families);
        scrape.problems.extend(gathered.problems);
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Gathered {
    families: Vec<ParsedFamily>,
    written: Vec<(String, Timestamp)>,
    problems: Vec<ReadError>,
}

fn gather(patterns: &[String], taken: &HashSet<&'static str>, reader: &mut Reader) -> Gathered {
    let mut gathered = Gathered::default();
    let mut merged = Merged::default();
    let patterns = patterns.iter().filter(|pattern| !pattern.is_empty());
    let folders: Vec<String> = patterns.flat_map(|pattern| glob::folders(pattern, reader)).collect();
    for folder in folders {
        let opened = Dir::open(&text::path(&folder));
        let opened = opened.map_err(|source| ReadError { path: folder.clone().into(), source });
        match opened.and_then(|dir| Ok((entries(reader, &dir, "")?, dir))) {
            Ok((names, dir)) => {
                for name in names.iter().filter(|name| name.strip_suffix(".prom").is_some()) {
                    read_file(&dir, name, taken, reader, &mut merged, &mut gathered);
                }
            }
            Err(problem) => gathered.problems.push(problem),
        }
    }
    gathered.families.extend(merged.families());
    gathered
}

fn read_file(
    dir: &Dir,
    name: &str,
    taken: &HashSet<&'static str>,
    reader: &mut Reader,
    merged: &mut Merged,
    gathered: &mut Gathered,
) {
    let written = reader.stat(dir, name).map(|stat| stat.st_mtime);
    let families = match page(dir, name, reader) {
        Ok(families) => families,
        Err(problem) => return gathered.problems.push(problem),
    };
    let path = dir.join(name).display().to_string();
    for family in families.into_iter().map(plain) {
        let added = if line_names(&family.name, family.kind).any(|line| taken.contains(line.as_str())) {
            Err(format!("{} is among the families of the node view", family.name))
        } else {
            merged.add(family, &path)
        };
        if let Err(why) = added {
            gathered.problems.push(malformed(dir, name, why));
        }
    }
    if let Some(seconds) = written {
        gathered.written.push((path, Timestamp(seconds as f64)));
    }
}

/// The families of a file.
fn page(dir: &Dir, name: &str, reader: &mut Reader) -> Result<Vec<ParsedFamily>, ReadError> {
    let missing = || ReadError { path: dir.join(name), source: io::ErrorKind::NotFound.into() };
    let file = reader.read(dir, name)?.ok_or_else(missing)?;
    let page = parse_lenient(file, Format::Text004).map_err(|error| malformed(dir, name, error.to_string()))?;
    if has_times(&page.families) {
        return Err(malformed(dir, name, "a sample has a time of its own"));
    }
    Ok(page.families)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expo::{Exposition, encode_exposition};

    fn gathered(files: &[(&str, &str)]) -> (String, Vec<String>, usize) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let root = folder.path().to_str().unwrap();
        let taken = HashSet::from(["node_load1"]);
        let found = gather(&[root.to_owned()], &taken, &mut Reader::default());
        let mut page = Vec::new();
        encode_exposition(&Exposition { families: found.families }, Format::Text004, &mut page).unwrap();
        let cut = |text: String| text.replace(root, "");
        let problems = found
            .problems
            .iter()
            .map(|problem| cut(format!("{problem}: {}", std::error::Error::source(problem).unwrap())));
        (cut(String::from_utf8(page).unwrap()), problems.collect(), found.written.len())
    }

    #[test]
    fn files_are_merged_and_a_family_stands_once() {
        let (page, problems, written) = gathered(&[
            ("a.prom", "# HELP job_runs_total Runs.\n# TYPE job_runs_total counter\njob_runs_total{job=\"a\"} 1\n"),
            ("b.prom", "# TYPE job_runs_total counter\njob_runs_total{job=\"b\"} 2\nplain 3\n"),
            ("c.txt", "not read\n"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(written, 2);
        assert_eq!(
            page,
            "# HELP job_runs_total Runs.\n# TYPE job_runs_total counter\njob_runs_total{job=\"a\"} 1\n\
             job_runs_total{job=\"b\"} 2\n# HELP plain Metric read from /b.prom\n# TYPE plain untyped\nplain 3\n"
        );
    }

    #[test]
    fn what_is_wrong_costs_its_file_or_family_only() {
        let (page, problems, written) = gathered(&[
            ("a.prom", "# TYPE x gauge\nx 1\n"),
            ("b.prom", "x{ 1\n"),
            ("c.prom", "y 1 1700000000000\n"),
            ("d.prom", "# TYPE x counter\nx{a=\"b\"} 1\ngood 1\n"),
            ("e.prom", "# TYPE x gauge\nx 2\nnode_load1 7\n"),
        ]);
        assert_eq!(written, 3);
        assert!(page.contains("good 1\n") && page.contains("\nx 1\n") && !page.contains("node_load1"), "{page}");
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems[0].starts_with("cannot read /b.prom: line 1: "), "{problems:#?}");
        assert_eq!(problems[1], "cannot read /c.prom: a sample has a time of its own");
        assert_eq!(problems[2], "cannot read /d.prom: x is a counter here and a gauge in /a.prom");
    }

    #[test]
    fn a_histogram_and_a_plain_name_of_one_of_its_lines_do_not_go_together() {
        let histogram = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n";
        let (page, problems, _) = gathered(&[("a.prom", histogram), ("b.prom", "h_count 99\nother 1\n")]);
        assert!(page.contains("h_count 1\n") && page.contains("other 1\n") && !page.contains("99"), "{page}");
        assert_eq!(problems, ["cannot read /b.prom: h_count has lines that are called as those of h in /a.prom"]);
        let (page, problems, _) = gathered(&[("a.prom", "h_count 99\nother 1\n"), ("b.prom", histogram)]);
        assert!(page.contains("h_count 99\n") && !page.contains("h_bucket"), "{page}");
        assert_eq!(problems, ["cannot read /b.prom: h has lines that are called as those of h_count in /a.prom"]);
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error() {
        let found =
            gather(&["/nonexistent/textfiles".to_owned(), String::new()], &HashSet::new(), &mut Reader::default());
        assert_eq!((found.problems.len(), found.families.len()), (1, 0));
    }
}
