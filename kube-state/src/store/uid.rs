//! An object's uid, in sixteen bytes where it is written as the API server writes it.

use super::texts::{Text, Texts};
use crate::hash::hash_of;

/// A uid as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Uid {
    /// `01234567-89ab-4cde-8f01-23456789abcd`.
    Canonical([u8; 16]),
    /// Anything else.
    Other(Text),
}

/// A uid to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'u> {
    /// See [`Uid::Canonical`].
    Canonical([u8; 16]),
    /// Anything else.
    Other(&'u [u8]),
}

/// Where the dashes are.
const DASHES: [usize; 4] = [8, 13, 18, 23];
/// Length of a canonical uid.
const LENGTH: usize = 36;

impl<'u> Key<'u> {
    /// The key of a uid.
    pub(super) fn of(uid: &'u str) -> Self {
        canonical(uid.as_bytes()).map_or(Self::Other(uid.as_bytes()), Self::Canonical)
    }

    /// The hash of a uid.
    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Canonical(bytes) => hash_of(&bytes),
            Self::Other(text) => hash_of(text),
        }
    }

    /// The uid as it is stored.
    pub(super) fn store(self, texts: &mut Texts) -> Uid {
        match self {
            Self::Canonical(bytes) => Uid::Canonical(bytes),
            Self::Other(text) => Uid::Other(texts.acquire(text)),
        }
    }

    /// The uid as it came.
    pub(super) fn text(self) -> String {
        match self {
            Self::Canonical(bytes) => {
                let hex = format!("{:032x}", u128::from_be_bytes(bytes));
                let part = |range| hex.get(range).unwrap_or("");
                [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
            }
            Self::Other(text) => String::from_utf8_lossy(text).into_owned(),
        }
    }
}

impl Uid {
    /// What finds it.
    pub(super) fn key(self, texts: &Texts) -> Key<'_> {
        match self {
            Self::Canonical(bytes) => Key::Canonical(bytes),
            Self::Other(text) => Key::Other(texts.text(text)),
        }
    }
}

fn canonical(uid: &[u8]) -> Option<[u8; 16]> {
    if uid.len() != LENGTH || DASHES.iter().any(|at| uid.get(*at) != Some(&b'-')) {
        return None;
    }
    let mut digits = (0..LENGTH).filter(|at| !DASHES.contains(at)).map(|at| digit(*uid.get(at)?));
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_comes_back_as_it_came() {
        for (uid, is_canonical) in [
            ("01234567-89ab-4cde-8f01-23456789abcd", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("01234567-89AB-4cde-8f01-23456789abcd", false),
            ("0123456789ab-4cde-8f01-23456789abcd-", false),
            ("01234567-89ab-4cde-8f01-23456789abc", false),
            ("01234567-89ab-4cde-8f01-23456789abcg", false),
            ("01234567+89ab-4cde-8f01-23456789abcd", false),
            ("a1b2", false),
            ("", false),
        ] {
            let mut texts = Texts::default();
            let key = Key::of(uid);
            assert_eq!(matches!(key, Key::Canonical(_)), is_canonical, "{uid}");
            let stored = key.store(&mut texts);
            assert_eq!(stored.key(&texts), key, "{uid}");
            assert_eq!(stored.key(&texts).text(), uid);
        }
    }
}
