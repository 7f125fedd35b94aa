//! Runs of lines that stand in two places.

use std::collections::HashMap;

use super::text::Text;

/// How many lines in a row must be equal.
pub(super) const SHORTEST: usize = 6;

/// A run that has stood before: the file and the place among its compared lines, here and there.
#[derive(Debug, PartialEq)]
pub(super) struct Copy {
    pub(super) length: usize,
    pub(super) here: (usize, usize),
    pub(super) before: (usize, usize),
}

/// Every run that repeats an earlier one, each as long as it can be; files in the order in which they are given.
pub(super) fn of(texts: &[&Text]) -> Vec<Copy> {
    let line = |(file, at): (usize, usize)| {
        let text: Option<&&Text> = texts.get(file);
        text.and_then(|text| text.compared.get(at)).map(|(_, line)| line.as_str())
    };
    let mut seen: HashMap<Vec<&str>, Vec<(usize, usize)>> = HashMap::new();
    let mut copies = Vec::new();
    for (file, text) in texts.iter().enumerate() {
        let mut free = 0; // lines before this one are part of a copy
        for at in 0..text.compared.len() {
            let Some(window) = text.compared.get(at..at + SHORTEST) else { break };
            let window: Vec<&str> = window.iter().map(|(_, line)| line.as_str()).collect();
            let places = seen.entry(window).or_default();
            if at >= free {
                let length = |place: &(usize, usize)| {
                    // A run may not overlap the one that it repeats.
                    let room = if place.0 == file { at - place.1 } else { usize::MAX };
                    let equal = |more: &usize| {
                        let here = line((file, at + more));
                        here.is_some() && here == line((place.0, place.1 + more))
                    };
                    (0..room).take_while(equal).count()
                };
                let longest = places.iter().map(|place| (length(place), *place)).max_by_key(|(length, _)| *length);
                if let Some((length, before)) = longest.filter(|(length, _)| *length >= SHORTEST) {
                    copies.push(Copy { length, here: (file, at), before });
                    free = at + length;
                }
            }
            places.push((file, at));
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn text(words: &str) -> Text {
        let compared = words.split(' ').map(str::to_owned).enumerate().collect();
        Text { package: String::new(), path: PathBuf::new(), written: 0, code: 0, compared }
    }

    #[test]
    fn a_run_is_counted_once_and_as_long_as_it_is() {
        let (a, b) = (text("x 1 2 3 4 5 6 7 y"), text("1 2 3 4 5 6 7 z 1 2 3 4 5"));
        assert_eq!(of(&[&a, &b]), [Copy { length: 7, here: (1, 0), before: (0, 1) }]);
    }

    #[test]
    fn a_run_does_not_repeat_itself() {
        assert!(of(&[&text("1 1 1 1 1 1 1 1 1 1 1")]).is_empty());
        assert_eq!(of(&[&text("1 1 1 1 1 1 1 1 1 1 1 1")]).len(), 1);
    }
}
