//! Splits responses of the API server into objects as bytes arrive; only the incomplete object is buffered.
//!
//! A watch is one JSON object a line. A list is one JSON object with an array in it, `items` or `rows`; the objects of
//! that array are handed out one by one and what stands around them is kept for the end.

/// The most bytes of one object or line. Objects that etcd takes have 1.5 MB at most; a few servers add to them.
const LONGEST_FRAME: usize = 32 << 20;

/// What cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// One object or line is larger than any object may be.
    #[error("an object has more than {LONGEST_FRAME} bytes")]
    TooLong,
    /// The answer ended before its last bracket.
    #[error("the answer ends in the middle of an object")]
    Unfinished,
}

/// Lines of a watch.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes what came, and hands out the lines that are whole now. Empty lines are passed over.
    pub fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) -> Result<(), BadFrame> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (head, tail) = bytes.split_at(end);
            if self.begun.is_empty() {
                hand_out(head, &mut line);
            } else {
                self.begun.extend_from_slice(head);
                hand_out(&self.begun, &mut line);
                self.begun.clear();
            }
            bytes = tail.get(1..).unwrap_or(&[]);
        }
        self.begun.extend_from_slice(bytes);
        if self.begun.len() > LONGEST_FRAME {
            return Err(BadFrame::TooLong);
        }
        if self.begun.is_empty() && self.begun.capacity() > 1 << 20 {
            self.begun = Vec::new();
        }
        Ok(())
    }
}

fn hand_out(text: &[u8], to: &mut impl FnMut(&[u8])) {
    let text = text.trim_ascii();
    if !text.is_empty() {
        to(text);
    }
}

/// The elements of one array of a JSON object.
#[derive(Debug)]
pub struct Elements {
    /// The key of the array.
    key: &'static str,
    /// Everything but the elements.
    around: Vec<u8>,
    /// The start of the element that is not whole yet.
    begun: Vec<u8>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    inside: bool,
    /// Where the last string of the outermost object begins and ends in `around`.
    string: (usize, usize),
}

/// The depth of the elements' commas.
const ARRAY: u32 = 2;

impl Elements {
    /// A reader of the array with this key.
    pub fn of(key: &'static str) -> Self {
        Self {
            key,
            around: Vec::new(),
            begun: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
            inside: false,
            string: (0, 0),
        }
    }

    /// What came so far outside of the array. Once the answer is at its end this is JSON, with an empty array.
    pub fn around(&self) -> &[u8] {
        &self.around
    }

    /// Takes what came, and hands out elements that are whole now, with what came before the array.
    pub fn push(&mut self, mut bytes: &[u8], mut element: impl FnMut(&[u8], &[u8])) -> Result<(), BadFrame> {
        while !bytes.is_empty() {
            let taken = if self.inside { self.within(bytes, &mut element) } else { self.outside(bytes) };
            bytes = bytes.get(taken..).unwrap_or(&[]);
        }
        if self.begun.len() > LONGEST_FRAME || self.around.len() > LONGEST_FRAME {
            Err(BadFrame::TooLong)
        } else {
            Ok(())
        }
    }

    /// Says whether the answer was whole.
    pub fn finish(&self) -> Result<(), BadFrame> {
        let is_whole = self.depth == 0 && !self.in_string && !self.around.is_empty();
        if is_whole { Ok(()) } else { Err(BadFrame::Unfinished) }
    }

    /// Bytes before or behind the array: few, so one after the other.
    fn outside(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            self.around.push(*byte);
            if self.in_string {
                self.step_in_string(*byte);
                if !self.in_string && self.depth == 1 {
                    self.string.1 = self.around.len() - 1;
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.in_string = true;
                    if self.depth == 1 {
                        self.string.0 = self.around.len();
                    }
                }
                b'{' => self.depth += 1,
                b'[' => {
                    self.depth += 1;
                    if self.depth == ARRAY && self.is_behind_key() {
                        self.inside = true;
                        return at + 1;
                    }
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        bytes.len()
    }

    /// Whether the last string is the array's key, and nothing but a colon is between it and the bracket.
    fn is_behind_key(&self) -> bool {
        let (start, end) = self.string;
        let between = self.around.get(end + 1..self.around.len() - 1).unwrap_or(&[]);
        self.around.get(start..end) == Some(self.key.as_bytes()) && between.trim_ascii() == b":"
    }

    /// Bytes of elements. Returns how many were taken: all, or those up to the closing bracket.
    fn within(&mut self, bytes: &[u8], element: &mut impl FnMut(&[u8], &[u8])) -> usize {
        let (mut start, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                let rest = bytes.get(at..).unwrap_or(&[]);
                let Some(next) = memchr::memchr2(b'"', b'\\', rest) else {
                    at = bytes.len();
                    break;
                };
                at += next;
                self.step_in_string(bytes.get(at).copied().unwrap_or(b'"'));
                at += 1;
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b',' if self.depth == ARRAY => {
                    self.end_element(bytes.get(start..at).unwrap_or(&[]), element);
                    start = at + 1;
                }
                b']' if self.depth == ARRAY => {
                    self.end_element(bytes.get(start..at).unwrap_or(&[]), element);
                    self.inside = false;
                    // The bracket itself belongs to what stands around.
                    return at;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        self.begun.extend_from_slice(bytes.get(start..).unwrap_or(&[]));
        at
    }

    fn end_element(&mut self, last: &[u8], element: &mut impl FnMut(&[u8], &[u8])) {
        let around = self.around.as_slice();
        if self.begun.is_empty() {
            hand_out(last, &mut |text| element(around, text));
            return;
        }
        self.begun.extend_from_slice(last);
        hand_out(&self.begun, &mut |text| element(around, text));
        self.begun.clear();
    }

    fn step_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn cut(text: &[u8], sizes: &[usize]) -> (Vec<Value>, Option<Value>) {
        let mut elements = Elements::of("items");
        let mut found = Vec::new();
        let mut rest = text;
        for size in sizes.iter().copied().cycle() {
            let (now, later) = rest.split_at(size.min(rest.len()));
            elements.push(now, |_, item| found.push(serde_json::from_slice(item).unwrap())).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let around = elements.finish().ok().map(|()| serde_json::from_slice(elements.around()).unwrap());
        (found, around)
    }

    #[test]
    fn a_list_is_its_objects_and_what_stands_around_them() {
        let text = br#"{"kind":"PodList","x":["items",[1]],"metadata":{"items":["no"],"continue":"a\"b"} , "items" : [ {"a":"]},{"} , null,{"b":[{}]} ], "z":1}"#;
        let (items, around) = cut(text, &[text.len()]);
        assert_eq!(items, [json!({"a": "]},{"}), Value::Null, json!({"b": [{}]})]);
        assert_eq!(around.unwrap()["metadata"]["continue"], "a\"b");
    }

    #[test]
    fn half_an_answer_is_not_a_whole_one() {
        for text in ["", "{", r#"{"items":["#, r#"{"items":[{"a":1}"#, r#"{"items":[{"a":1}]"#, r#"{"items":["}"#] {
            assert_eq!(cut(text.as_bytes(), &[3]).1, None, "{text}");
        }
        assert_eq!(cut(br#"{"items":[]}"#, &[1]).1, Some(json!({"items": []})));
    }

    #[test]
    fn a_string_of_the_same_name_is_not_the_array() {
        let (items, _) = cut(br#"{"a":"items","b":[1],"items":[2]}"#, &[4]);
        assert_eq!(items, [json!(2)]);
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let text = b"one\r\n\n two \nthree";
        for size in 1..text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.push(piece, |line| found.push(String::from_utf8(line.to_vec()).unwrap())).unwrap();
            }
            assert_eq!(found, ["one", "two"], "the third has no end");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), ".{0,8}".prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_cut_finds_the_same(
            items in prop::collection::vec(value(), 0..6),
            before in value(),
            after in value(),
            sizes in prop::collection::vec(1_usize..40, 1..8),
        ) {
            let text = format!(r#"{{"before":{before},"items":{},"later":{after}}}"#, json!(items));
            let (found, around) = cut(text.as_bytes(), &sizes);
            prop_assert_eq!(found, items);
            prop_assert_eq!(around, Some(json!({"before": before, "items": [], "later": after})));
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1_usize..20) {
            let (mut elements, mut lines) = (Elements::of("items"), Lines::default());
            for piece in bytes.chunks(size) {
                elements.push(piece, |_, _| ()).unwrap();
                lines.push(piece, |_| ()).unwrap();
            }
        }
    }
}
