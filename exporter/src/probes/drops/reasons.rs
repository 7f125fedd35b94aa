//! Drop reasons by name, and the fields of the hook. Both come from the kernel's BTF and differ between kernels. Pure.

/// What the type information says of dropped packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reasons {
    /// Words for the reasons, by their numbers. Empty: the kernel knows none (before Linux 5.17).
    words: Vec<Option<Box<str>>>,
    /// How many arguments the hook has: a packet, where it was dropped, why, and for which socket.
    pub(super) arguments: usize,
}

/// Most numbers that are told apart.
pub(super) const REASONS_MOST: usize = 192;
/// Number of all others: those of parts of the kernel that have lists of their own.
pub(super) const OTHER: usize = REASONS_MOST - 1;

const PREFIX: &str = "SKB_DROP_REASON_";
const ENUM: &str = "skb_drop_reason";
const HOOK: &str = "btf_trace_kfree_skb";

impl Reasons {
    /// Reads the kernel's types. `None` when they cannot be read.
    pub(super) fn of(btf: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let types = Types::of(btf)?;
        // The hook's type is a name for a pointer to a function, whose first argument is none of the hook's.
        let (mut of_hook, mut pointers, mut functions) = (None, Vec::new(), Vec::new());
        types.each(|id, Type { kind, name, members, refers_to, parts }| match kind {
            kind::ENUM if name == ENUM => found.words = words(&types, parts),
            kind::TYPEDEF if name == HOOK => of_hook = Some(refers_to),
            kind::POINTER => pointers.push((id, refers_to)),
            kind::FUNCTION => functions.push((id, members)),
            _ => {}
        })?;
        let target = |list: &[(u32, u32)], id| list.binary_search_by_key(&id, |entry| entry.0).ok();
        let pointer = of_hook.and_then(|id| target(&pointers, id)).and_then(|at| pointers.get(at));
        let function = pointer.and_then(|(_, id)| target(&functions, *id)).and_then(|at| functions.get(at));
        found.arguments = function.map_or(0, |(_, members)| usize::try_from(*members).unwrap_or(0).saturating_sub(1));
        Some(found)
    }

    /// Whether the kernel says why it drops packets.
    pub(super) fn is_told(&self) -> bool {
        self.arguments >= 3 && !self.words.is_empty()
    }

    /// Index of a reason among [`REASONS_MOST`].
    pub(super) fn index(&self, reason: u32) -> usize {
        let known =
            usize::try_from(reason).ok().filter(|at| *at < OTHER && self.words.get(*at).is_some_and(Option::is_some));
        known.unwrap_or(OTHER)
    }

    /// The word for an index.
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).and_then(Option::as_deref).filter(|_| index != OTHER).unwrap_or("other")
    }
}

/// Words of an enumeration by number: `SKB_DROP_REASON_NO_SOCKET` is `no_socket`.
fn words(types: &Types<'_>, parts: &[u8]) -> Vec<Option<Box<str>>> {
    let mut words = Vec::new();
    for part in parts.chunks_exact(8) {
        let (Some(name), Some(number)) = (word(part, 0), word(part, 4)) else { continue };
        let (Some(name), Ok(at)) = (types.string(name), usize::try_from(number)) else { continue };
        // The rest marks where lists begin and end.
        let Some(name) = name.strip_prefix(PREFIX).filter(|_| at < REASONS_MOST) else { continue };
        if words.len() <= at {
            words.resize(at + 1, None);
        }
        if let Some(place) = words.get_mut(at) {
            *place = Some(name.to_ascii_lowercase().into());
        }
    }
    words
}

/// Numbers of kinds (Documentation/bpf/btf.rst).
mod kind {
    pub(super) const POINTER: u32 = 2;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const FUNCTION: u32 = 13;
}

struct Types<'b> {
    types: &'b [u8],
    strings: &'b [u8],
}

struct Type<'b> {
    kind: u32,
    name: &'b str,
    members: u32,
    refers_to: u32,
    parts: &'b [u8],
}

impl<'b> Types<'b> {
    fn of(btf: &'b [u8]) -> Option<Self> {
        if btf.get(..2)? != 0xeb9f_u16.to_ne_bytes() {
            return None;
        }
        let number = |at| word(btf, at).and_then(|number| usize::try_from(number).ok());
        let header = number(4)?;
        let part = |at: usize| {
            let start = header.checked_add(number(at)?)?;
            btf.get(start..start.checked_add(number(at + 4)?)?)
        };
        Some(Self { types: part(8)?, strings: part(16)? })
    }

    fn string(&self, at: u32) -> Option<&'b str> {
        let rest = self.strings.get(usize::try_from(at).ok()?..)?;
        std::str::from_utf8(rest.split(|byte| *byte == 0).next()?).ok()
    }

    /// Gives every type with its number; `None` when one has a kind that is not known.
    fn each(&self, mut take: impl FnMut(u32, Type<'b>)) -> Option<()> {
        let (mut at, mut id) = (0, 0);
        while at < self.types.len() {
            id += 1;
            let (name, info, refers_to) = (word(self.types, at)?, word(self.types, at + 4)?, word(self.types, at + 8)?);
            let (kind, members) = (info >> 24 & 0x1f, info & 0xffff);
            let each = match kind {
                // Pointers, names for other types, qualifiers, functions, floats.
                2 | 7..=12 | 16 | 18 => 0,
                // Integers, variables, tags.
                1 | 14 | 17 => 4,
                3 => 12,
                // Structs, unions, sections, long enumerations.
                4 | 5 | 15 | 19 => 12 * usize::try_from(members).ok()?,
                6 | 13 => 8 * usize::try_from(members).ok()?,
                _ => return None,
            };
            let start = at + 12;
            let parts = self.types.get(start..start + each)?;
            let name = self.string(name).unwrap_or_default();
            take(id, Type { kind, name, members, refers_to, parts });
            at = start + each;
        }
        Some(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Types with an enumeration of two reasons and a hook of three arguments.
    fn types() -> Vec<u8> {
        let strings = b"\0skb_drop_reason\0SKB_NOT_DROPPED_YET\0SKB_DROP_REASON_NO_SOCKET\0btf_trace_kfree_skb\0";
        let at = |name: &str| {
            let text = String::from_utf8(strings.to_vec()).unwrap();
            u32::try_from(text.find(name).unwrap()).unwrap()
        };
        let numbers: Vec<u32> = vec![
            at("skb_drop_reason"),
            6 << 24 | 2,
            4,
            at("SKB_NOT_DROPPED_YET"),
            0,
            at("SKB_DROP_REASON_NO_SOCKET"),
            3,
            0,
            13 << 24 | 4,
            0,
            0,
            3,
            0,
            3,
            0,
            3,
            0,
            1,
            0,
            2 << 24,
            2,
            at("btf_trace_kfree_skb"),
            8 << 24,
            3,
        ];
        let types: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        let mut btf = 0xeb9f_u16.to_ne_bytes().to_vec();
        btf.extend([1, 0]);
        let (types_len, strings_len) = (u32::try_from(types.len()).unwrap(), u32::try_from(strings.len()).unwrap());
        btf.extend([24, 0, types_len, types_len, strings_len].iter().flat_map(|number| number.to_ne_bytes()));
        btf.extend(types);
        btf.extend(strings);
        btf
    }

    #[test]
    fn reasons_have_the_words_that_this_kernel_has_for_them() {
        let reasons = Reasons::of(&types()).unwrap();
        assert_eq!((reasons.arguments, reasons.is_told()), (3, true));
        assert_eq!((reasons.index(3), reasons.word(3)), (3, "no_socket"));
        // Marks of the list, and lists of parts of the kernel.
        assert_eq!([0, 4, 0x10003].map(|reason| reasons.index(reason)), [OTHER; 3]);
        assert_eq!(reasons.word(OTHER), "other");
    }

    #[test]
    fn a_kernel_without_reasons_tells_none() {
        let mut old = types();
        let at = old.windows(15).position(|part| part == b"skb_drop_reason").unwrap();
        old[at] = b'x';
        assert!(!Reasons::of(&old).unwrap().is_told());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0_usize..200, byte: u8, length in 0_usize..300) {
            let mut bytes = types();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(length);
            Reasons::of(&bytes);
        }
    }
}
