//! Values that each scraper has received. A removed container's series stay until every active scraper had its final
//! values twice.

use std::collections::HashMap;

/// Time after its last scrape for which a scraper counts as active, in seconds.
const KNOWN: f64 = 300.0;
/// Most scrapers that are told apart. Those beyond are not waited for.
const SCRAPERS_MOST: usize = 64;

/// The last two times that each scraper was shown the books, in seconds since the Unix epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Scrapers {
    seen: HashMap<String, [f64; 2]>,
}

impl Scrapers {
    /// One was shown everything.
    pub(super) fn shown(&mut self, to: &str, now: f64) {
        self.seen.retain(|_, [_, last]| now - *last < KNOWN);
        if let Some([before, last]) = self.seen.get_mut(to) {
            *before = std::mem::replace(last, now);
        } else if self.seen.len() < SCRAPERS_MOST {
            // The time before its first scrape is no time.
            self.seen.insert(to.to_owned(), [f64::NEG_INFINITY, now]);
        }
    }

    /// Whether every scraper there is was shown twice what has not changed since `at`. Without scrapers: no.
    pub(super) fn all_had_twice(&self, at: f64, now: f64) -> bool {
        let mut known = self.seen.values().filter(|[_, last]| now - last < KNOWN).peekable();
        known.peek().is_some() && known.all(|[before, _]| *before >= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_scraper_is_waited_for_until_it_is_silent_for_five_minutes() {
        let mut scrapers = Scrapers::default();
        assert!(!scrapers.all_had_twice(10.0, 11.0), "nobody has seen it");
        scrapers.shown("fast", 9.0);
        scrapers.shown("slow", 9.0);
        scrapers.shown("fast", 12.0);
        assert!(!scrapers.all_had_twice(10.0, 12.0), "once");
        scrapers.shown("fast", 27.0);
        assert!(!scrapers.all_had_twice(10.0, 27.0), "the other one has not");
        scrapers.shown("slow", 69.0);
        scrapers.shown("slow", 129.0);
        assert!(scrapers.all_had_twice(10.0, 129.0));
        assert!(!scrapers.all_had_twice(100.0, 129.0));
        scrapers.shown("fast", 420.0);
        scrapers.shown("fast", 430.0);
        assert!(scrapers.all_had_twice(100.0, 430.0), "the slow one is gone");
    }
}
