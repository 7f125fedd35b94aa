//! Causes of an outage: each is logged once, and no line repeats for as long as it lasts.

/// Causes that are told apart. A server that says something else each time is not logged without end.
const MOST_CAUSES: usize = 8;
/// Numbers with as many digits are those of ports, versions and requests, and no part of a cause.
const LONG_NUMBER: usize = 4;

/// What has gone wrong since something last worked.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    causes: Vec<String>,
}

impl Outage {
    /// Notes a cause. True when it is to be logged: it is the first, or another than those before.
    pub fn note(&mut self, cause: &str) -> bool {
        let cause = without_long_numbers(cause);
        let is_news = self.causes.len() < MOST_CAUSES && !self.causes.contains(&cause);
        if is_news {
            self.causes.push(cause);
        }
        is_news
    }

    /// It works. True when it did not before.
    pub fn end(&mut self) -> bool {
        let was_out = !self.causes.is_empty();
        self.causes.clear();
        was_out
    }
}

fn without_long_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        out.push_str(before);
        out.push_str(if number.len() < LONG_NUMBER { number } else { "#" });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_news_once_until_it_works_again() {
        let mut outage = Outage::default();
        assert!(!outage.end());
        assert!(outage.note("connection refused (os error 111)"));
        assert!(!outage.note("connection refused (os error 111)"));
        assert!(outage.note("no route to host (os error 113)"), "a second cause is another");
        assert!(outage.note("version 1234 is too old") && !outage.note("version 77777 is too old"));
        assert!(outage.end() && !outage.end());
        assert!(outage.note("connection refused (os error 111)"), "it is a new outage");
    }

    #[test]
    fn a_server_that_says_something_else_each_time_is_not_logged_without_end() {
        let mut outage = Outage::default();
        let told = (0..100).filter(|number| outage.note(&format!("request {}", "x".repeat(*number)))).count();
        assert_eq!(told, MOST_CAUSES);
    }
}
