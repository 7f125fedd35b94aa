//! Converts a value of an object to a number or a label by the rules of Go and Kubernetes.

use std::{borrow::Cow, fmt::Write as _};

use kubernetes::{Quantity, time};
use serde_json::{Number, Value};

use super::found::Found;
use crate::number;

/// A value that is no number.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a number, a truth value, a time, a quantity or a percentage")]
pub struct NotANumber(String);

/// The number that a value stands for.
pub(super) fn number(value: &Value) -> Result<f64, NotANumber> {
    let number = match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => number_of_text(text),
        Value::Number(number) => number.as_f64(),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    number.ok_or_else(|| NotANumber(shortened(&value.to_string())))
}

/// The number that a text stands for. What comes first in this list wins: `5E` is five quintillion, not a typing error,
/// and `1e3` a quantity.
pub(super) fn number_of_text(text: &str) -> Option<f64> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") || is("yes") {
        return Some(1.0);
    }
    if is("false") || is("no") || is("unknown") {
        return Some(0.0);
    }
    if let Some(seconds) = time::rfc3339(text) {
        return Some(seconds as f64);
    }
    let is_bare = text.trim().len() == text.len();
    if let Some(quantity) = Quantity::parse(text).filter(|_| is_bare) {
        return quantity.approximate();
    }
    let percent = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(percent) = percent {
        return number::parse(percent).map(|percent| percent / 100.0);
    }
    number::parse(text)
}

/// What stands at the end of a path as text; `None` when nothing does.
pub(super) fn text(found: Found<'_>) -> Option<Cow<'_, str>> {
    match found {
        Found::Nothing => None,
        Found::Value(value) => Some(value_text(value)),
    }
}

/// A value as Go prints it: `map[a:1 b:[x y]]`.
pub(super) fn value_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let mut out = String::new();
            push(&mut out, value);
            Cow::Owned(out)
        }
    }
}

fn push(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(_) | Value::String(_) => out.push_str(&value_text(value)),
        Value::Number(number) => push_number(out, number),
        Value::Array(list) => {
            out.push('[');
            for (index, element) in list.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { " " });
                push(out, element);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push_str("map[");
            for (index, (key, value)) in entries.into_iter().enumerate() {
                let _ = write!(out, "{}{key}:", if index == 0 { "" } else { " " });
                push(out, value);
            }
            out.push(']');
        }
    }
}

fn push_number(out: &mut String, number: &Number) {
    if let Some(whole) = number.as_i64() {
        out.push_str(itoa::Buffer::new().format(whole));
        return;
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    if float == 0.0 && float.is_sign_negative() {
        return out.push_str("-0");
    }
    let mut bytes = Vec::new();
    number::push(&mut bytes, float);
    out.push_str(&String::from_utf8_lossy(&bytes));
}

/// The first part of a long text, for messages.
fn shortened(text: &str) -> String {
    let mut parts = text.char_indices().skip(60);
    parts.next().map_or_else(|| text.to_owned(), |(at, _)| format!("{}…", text.get(..at).unwrap_or("")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn many_things_are_numbers() {
        for (value, expected) in [
            (json!(true), 1.0),
            (json!(false), 0.0),
            (json!(43.21), 43.21),
            (json!(-7), -7.0),
            (json!(18_446_744_073_709_551_615_u64), 18_446_744_073_709_551_615_u64 as f64),
            (json!("True"), 1.0),
            (json!("YES"), 1.0),
            (json!("no"), 0.0),
            (json!("Unknown"), 0.0),
            (json!("2024-02-29T12:00:00Z"), 1_709_208_000.0),
            (json!("2024-02-29T12:00:00.999+01:00"), 1_709_204_400.0),
            (json!("250m"), 0.25),
            (json!("5Gi"), 5_368_709_120.0),
            (json!("1e3"), 1000.0),
            (json!("3"), 3.0),
            (json!("2E"), 2e18),
            (json!("1e999"), f64::INFINITY),
            (json!("28%"), 0.28),
            (json!("007%"), 0.07),
            (json!("1_000"), 1000.0),
            (json!("0x1p-2"), 0.25),
            (json!("+Inf"), f64::INFINITY),
        ] {
            assert_eq!(number(&value), Ok(expected), "{value}");
        }
        assert!(number(&json!("nan")).unwrap().is_nan());
    }

    #[test]
    fn other_things_are_none() {
        for value in [
            json!(null),
            json!("Running"),
            json!(""),
            json!(" 1"),
            json!("1 "),
            json!("2.5%"),
            json!("-3%"),
            json!("2024-02-30T00:00:00Z"),
            json!([1]),
            json!({"a": 1}),
            json!("1_e9"),
        ] {
            assert!(number(&value).is_err(), "{value}");
        }
        let long = number(&json!("x".repeat(1000))).unwrap_err().to_string();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn labels_are_what_go_prints() {
        for (value, expected) in [
            (json!("a b"), "a b"),
            (json!(1_000_000), "1000000"),
            (json!(1_000_000.0), "1e+06"),
            (json!(0.00001), "1e-05"),
            (json!(true), "true"),
            (json!([1, "x", null, [true]]), "[1 x <nil> [true]]"),
            (json!({"b": 1, "a": {"c": []}}), "map[a:map[c:[]] b:1]"),
        ] {
            assert_eq!(value_text(&value), expected, "{value}");
        }
    }
}
