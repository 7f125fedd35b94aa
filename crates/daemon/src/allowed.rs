//! The values that an option takes beyond its type: bounds of numbers and durations, forms of texts. They stand in the
//! JSON schema of the configuration, so the check, the reference page and editors say the same.

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

use hyper::Uri;
use serde_json::Value;

use crate::period::Period;

/// The values that an option takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Allowed {
    bounds: Bounds,
    form: Option<Form>,
}

/// The least and the greatest value, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Bounds {
    #[default]
    None,
    Numbers(f64, f64),
    Periods(Period, Period),
}

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// An address with scheme and host: `https://127.0.0.1:10250`.
    Url,
    /// A file that is there and can be read.
    File,
    /// A file to write: its folder is there. `-` is the standard output.
    Output,
    /// A name as Kubernetes and DNS have it.
    Name,
}

impl Allowed {
    /// Reads what the schema of a property says; `shape` is the schema of its type.
    pub(crate) fn of(property: &Value, shape: &Value) -> Self {
        let said = |key: &str| property.get(key).or_else(|| shape.get(key));
        let number = |key: &str| said(key).and_then(Value::as_f64);
        let period = |key: &str| said(key).and_then(Value::as_str).and_then(|text| text.parse::<Period>().ok());
        let bounds = match (number("minimum"), number("maximum")) {
            (None, None) => match (period("x-minimum"), period("x-maximum")) {
                (None, None) => Bounds::None,
                (least, most) => Bounds::Periods(least.unwrap_or_default(), most.unwrap_or(Period::LONGEST)),
            },
            (least, most) => Bounds::Numbers(least.unwrap_or(f64::MIN), most.unwrap_or(f64::MAX)),
        };
        let form = match said("format").and_then(Value::as_str) {
            Some("uri") => Some(Form::Url),
            Some("file") => Some(Form::File),
            Some("output-file") => Some(Form::Output),
            Some("hostname") => Some(Form::Name),
            _ => None,
        };
        Self { bounds, form }
    }

    /// Whether a value is one of them; the error says what is wrong with it. Values of another type than the option's are
    /// left to its type. An empty text is none of a list's items; alone it stands for no value.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| match item {
                Value::String(text) if text.is_empty() && self.form.is_some() => Err("an item is empty".to_owned()),
                item => self.check(item),
            }),
            Value::Number(number) => match (self.bounds, number.as_f64()) {
                (Bounds::Numbers(least, most), Some(value)) if !(least..=most).contains(&value) => {
                    Err(format!("must be {}, not {number}", self.bounds))
                }
                _ => Ok(()),
            },
            Value::String(text) => match (self.bounds, text.parse::<Period>()) {
                (Bounds::Periods(least, most), Ok(value)) if !(least..=most).contains(&value) => {
                    Err(format!("must be {}, not {text}", self.bounds))
                }
                _ if text.is_empty() => Ok(()),
                _ => self.form.map_or(Ok(()), |form| form.check(text)),
            },
            _ => Ok(()),
        }
    }

    /// For the reference page; nothing when every value of the type is allowed.
    pub(crate) fn in_words(&self) -> Option<String> {
        match (self.bounds, self.form) {
            (Bounds::None, None) => None,
            (Bounds::None, Some(form)) => Some(form.in_words().to_owned()),
            (bounds, _) => Some(bounds.to_string()),
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("any"),
            Self::Numbers(least, f64::MAX) => write!(f, "at least {least}"),
            Self::Numbers(least, most) => write!(f, "from {least} to {most}"),
            Self::Periods(least, most) => write!(f, "from {least} to {most}"),
        }
    }
}

impl Form {
    fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::Url => url(text),
            Self::File => readable(Path::new(text)),
            Self::Output if text == "-" => Ok(()),
            Self::Output => writable(Path::new(text)),
            Self::Name => name(text),
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::Url => "a URL with http:// or https://",
            Self::File => "a file that can be read",
            Self::Output => "a file in a folder that exists",
            Self::Name => "letters a to z, digits, `-` and `.`, at most 253",
        }
    }
}

fn url(text: &str) -> Result<(), String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("`{text}` is no URL: it begins with http:// or https://, such as https://{text}"));
    };
    if !["http", "https"].contains(&scheme) {
        return Err(format!("`{text}` is no URL that can be asked: it begins with http:// or https://"));
    }
    let wrong = |what: &str| Err(format!("`{text}` is no URL: {what}"));
    if rest.contains(['?', '#']) {
        return wrong("it ends with its path, without ? and #");
    }
    let Ok(uri) = text.parse::<Uri>() else { return wrong("it is written https://HOST:PORT") };
    let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
        return wrong("it has no host");
    };
    if authority.as_str().contains('@') {
        return Err("a URL takes no user and password".to_owned());
    }
    let has_port = authority.as_str().len() > authority.host().len();
    if has_port && authority.port_u16().is_none_or(|port| port == 0) {
        return wrong("its port is a number from 1 to 65535");
    }
    Ok(())
}

fn readable(path: &Path) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if metadata.is_dir() {
        return Err(format!("{} is a folder; it takes a file", path.display()));
    }
    // A pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(format!("{} is no regular file", path.display()));
    }
    File::open(path).map(drop).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn writable(path: &Path) -> Result<(), String> {
    if path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/') {
        return Err(format!("{} is a folder; it takes a file", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    match std::fs::metadata(&folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(format!("cannot write {}: {} is no folder", path.display(), folder.display())),
        Err(error) => Err(format!("cannot write {}: folder {}: {error}", path.display(), folder.display())),
    }
}

/// As RFC 1123 has subdomains.
fn name(text: &str) -> Result<(), String> {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("`{text}` is no name of an object: it takes {}", Form::Name.in_words()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(schema: &Value, value: &Value) -> String {
        Allowed::of(schema, &Value::Null).check(value).unwrap_err()
    }

    fn taken(schema: &Value, value: &Value) {
        assert_eq!(Allowed::of(schema, &Value::Null).check(value), Ok(()), "{value}");
    }

    #[test]
    fn bounds_of_numbers_and_durations_are_said() {
        let number = json!({ "minimum": 1, "maximum": 1000 });
        taken(&number, &json!(1000));
        assert_eq!(refused(&number, &json!(0)), "must be from 1 to 1000, not 0");
        assert_eq!(refused(&number, &json!(-1)), "must be from 1 to 1000, not -1");
        assert_eq!(refused(&json!({ "minimum": 0.0 }), &json!(-0.5)), "must be at least 0, not -0.5");
        let period = json!({ "x-minimum": "1ms", "x-maximum": "1h" });
        taken(&period, &json!("1h"));
        assert_eq!(refused(&period, &json!("0")), "must be from 1ms to 1h, not 0");
        assert_eq!(refused(&period, &json!("2h")), "must be from 1ms to 1h, not 2h");
    }

    #[test]
    fn a_url_has_a_scheme_a_host_and_a_port_that_exists() {
        let schema = json!({ "format": "uri" });
        for good in ["https://127.0.0.1:10250", "http://kube-state:8080/", "https://[::1]:1/x", "http://a", ""] {
            taken(&schema, &json!(good));
        }
        let expected =
            "`localhost:10250` is no URL: it begins with http:// or https://, such as https://localhost:10250";
        assert_eq!(refused(&schema, &json!("localhost:10250")), expected);
        for bad in [
            "ftp://a",
            "https://",
            "https:///x",
            "https://:1",
            "https://a b",
            "https://a:",
            "https://a:0",
            "http:/x",
            "https://a:65536",
            "https://a:x",
            "https://u:p@a",
            "https://a?x",
            "https://a/#x",
            " ",
            "\u{3000}",
            "://",
        ] {
            refused(&schema, &json!(bad));
        }
        assert_eq!(refused(&schema, &json!(["http://a", ""])), "an item is empty");
    }

    #[test]
    fn files_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| json!(folder.path().join(name).display().to_string());
        std::fs::write(folder.path().join("there"), "x").unwrap();
        let (file, output) = (json!({ "format": "file" }), json!({ "format": "output-file" }));
        taken(&file, &place("there"));
        assert!(refused(&file, &place("gone")).contains("gone: No such file"));
        assert!(refused(&file, &place("")).contains("is a folder; it takes a file"));
        assert!(refused(&file, &json!("/dev/null")).contains("is no regular file"));
        for good in [place("new"), json!("-"), json!("new"), json!("")] {
            taken(&output, &good);
        }
        assert!(refused(&output, &place("no/such")).contains("folder"));
        assert!(refused(&output, &place("there/new")).contains("is no folder"));
        assert!(refused(&output, &place("")).contains("is a folder"));
    }

    #[test]
    fn names_are_those_that_objects_can_have() {
        let schema = json!({ "format": "hostname" });
        for good in ["node-1", "ip-10-0-0-1.ec2.internal", "1"] {
            taken(&schema, &json!(good));
        }
        for bad in ["Node", "a_b", "a b", "-a", "a-", "a..b", ".", &"a".repeat(254)] {
            refused(&schema, &json!(bad));
        }
    }
}
