//! `/proc/net/sockstat` and `sockstat6`:
//! ```text
//! sockets: used 229
//! TCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1
//! UDP: inuse 0 mem 0
//! FRAG: inuse 0 memory 0
//! ```

use kernfs::text;

/// Calls `each` with protocol, key and value.
pub(super) fn sockstat(file: &[u8], mut each: impl FnMut(&str, &str, i64)) {
    for line in text::lines(file) {
        let mut words = text::words(line);
        let Some(protocol) = words.next().and_then(|word| word.strip_suffix(b":")) else { continue };
        let Ok(protocol) = std::str::from_utf8(protocol) else { continue };
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            if let (Ok(key), Some(value)) = (std::str::from_utf8(key), text::signed(value)) {
                each(protocol, key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_pair_is_a_value_and_an_odd_word_is_left_out() {
        let mut found = Vec::new();
        sockstat(b"sockets: used 3\nTCP: inuse 4 orphan -1 tw\nnoise 1\n", |protocol, key, value| {
            found.push(format!("{protocol} {key} {value}"));
        });
        assert_eq!(found, ["sockets used 3", "TCP inuse 4", "TCP orphan -1"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            sockstat(&bytes, |_, _, _| {});
        }
    }
}
