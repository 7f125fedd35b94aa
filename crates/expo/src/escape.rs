//! Escaping in the text formats.

/// Appends a label value, without its quotes.
#[inline]
pub(crate) fn push_label_value(out: &mut Vec<u8>, value: &str) {
    let mut rest = value.as_bytes();
    while let Some(at) = memchr::memchr3(b'\\', b'\n', b'"', rest) {
        rest = push_escaped(out, rest, at);
    }
    out.extend_from_slice(rest);
}

/// Appends a help text. In text 0.0.4 quotes stand for themselves there; OpenMetrics escapes them as in labels.
pub(crate) fn push_help_004(out: &mut Vec<u8>, help: &str) {
    let mut rest = help.as_bytes();
    while let Some(at) = memchr::memchr2(b'\\', b'\n', rest) {
        rest = push_escaped(out, rest, at);
    }
    out.extend_from_slice(rest);
}

fn push_escaped<'a>(out: &mut Vec<u8>, text: &'a [u8], at: usize) -> &'a [u8] {
    let (plain, rest) = text.split_at(at);
    out.extend_from_slice(plain);
    out.push(b'\\');
    let Some((special, rest)) = rest.split_first() else { return rest };
    out.push(if *special == b'\n' { b'n' } else { *special });
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_escaped_is() {
        let (mut label, mut help) = (Vec::new(), Vec::new());
        push_label_value(&mut label, "a\"b\\c\nd\te櫓\"");
        push_help_004(&mut help, "a\"b\\c\nd");
        assert_eq!(String::from_utf8(label).unwrap(), "a\\\"b\\\\c\\nd\te櫓\\\"");
        assert_eq!(String::from_utf8(help).unwrap(), "a\"b\\\\c\\nd");
    }
}
