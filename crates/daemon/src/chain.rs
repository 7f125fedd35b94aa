//! Errors in one line.

/// An error and its causes, in one line. What an error already says of its cause is not said again.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !said.is_empty() && !ends_with(&text, &said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

/// Whether a text ends in these whole words.
fn ends_with(text: &str, words: &str) -> bool {
    text.strip_suffix(words).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn a_cause_is_said_once() {
        let chained = |texts: &[&'static str]| {
            let inner = texts.iter().rev().fold(None, |inner, text| Some(Box::new(Said(text, inner))));
            chain(&inner.unwrap())
        };
        assert_eq!(chained(&["cannot list", "refused"]), "cannot list: refused");
        assert_eq!(chained(&["cannot list: refused", "refused", "by whom"]), "cannot list: refused: by whom");
        assert_eq!(chained(&["cannot list", "error: refused", "refused"]), "cannot list: error: refused");
        assert_eq!(chained(&["code 17", "7"]), "code 17: 7", "a part of a word is no cause");
        assert_eq!(chained(&["same", "same", ""]), "same");
    }
}
