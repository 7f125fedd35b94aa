//! Lenient parsing of API objects.
//!
//! An object comes from a server we do not control, and 336 families should not be lost because one field has another
//! type than expected. So no field fails the object: a `null` is the type's zero value, as in Go, and a value of the
//! wrong shape is *spoiled*. A spoiled value that reaches a row takes its family with it, and nothing else.
//!
//! Strings are borrowed from the object's bytes wherever they have no escapes.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::{Error as ValueError, MapAccessDeserializer},
    },
    forward_to_deserialize_any,
};

use crate::time;

/// Seconds from the Unix epoch to Go's zero time, 1 January of year 1. A timestamp that is absent where Go has no
/// pointer prints as this.
pub const ZERO_TIME: i64 = -62_135_596_800;

/// A value that can be made from every shape that JSON has.
pub(crate) trait Leaf<'v>: Sized {
    fn null() -> Self;
    fn spoiled() -> Self;
    fn text(_: Cow<'v, str>) -> Self {
        Self::spoiled()
    }
    fn int(_: i64) -> Self {
        Self::spoiled()
    }
    fn float(_: f64) -> Self {
        Self::spoiled()
    }
    fn flag(_: bool) -> Self {
        Self::spoiled()
    }
    fn list<A: SeqAccess<'v>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::spoiled())
    }
    fn object<A: MapAccess<'v>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::spoiled())
    }
}

struct AnyShape<T>(PhantomData<T>);

impl<'v, T: Leaf<'v>> Visitor<'v> for AnyShape<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }
    fn visit_borrowed_str<E>(self, text: &'v str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }
    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text)))
    }
    fn visit_i64<E>(self, int: i64) -> Result<T, E> {
        Ok(T::int(int))
    }
    fn visit_u64<E>(self, int: u64) -> Result<T, E> {
        Ok(i64::try_from(int).map_or_else(|_| T::float(int as f64), T::int))
    }
    fn visit_f64<E>(self, float: f64) -> Result<T, E> {
        Ok(T::float(float))
    }
    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }
    fn visit_seq<A: SeqAccess<'v>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }
    fn visit_map<A: MapAccess<'v>>(self, object: A) -> Result<T, A::Error> {
        T::object(object)
    }
    /// JSON has no bytes: these are [`Spoil`]'s.
    fn visit_bytes<E>(self, _: &[u8]) -> Result<T, E> {
        Ok(T::spoiled())
    }
}

/// Reads a value of any shape.
pub(crate) fn any_shape<'v, T: Leaf<'v>, D: Deserializer<'v>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(AnyShape(PhantomData))
}

/// Gives `T` with everything below it spoiled: what stands where an object should.
struct Spoil;

impl<'de> Deserializer<'de> for Spoil {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_bytes(&[])
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_map(SpoilFields(fields.iter()))
    }
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct SpoilFields(std::slice::Iter<'static, &'static str>);

impl<'v> MapAccess<'v> for SpoilFields {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, ValueError> {
        let Some(field) = self.0.next() else { return Ok(None) };
        seed.deserialize(serde::de::value::BorrowedStrDeserializer::new(field)).map(Some)
    }
    fn next_value_seed<V: DeserializeSeed<'v>>(&mut self, seed: V) -> Result<V::Value, ValueError> {
        seed.deserialize(Spoil)
    }
}

macro_rules! any_shape {
    ($($name:ty),*) => {$(
        impl<'de: 'v, 'v> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                any_shape(deserializer)
            }
        }
    )*};
}
any_shape!(Text<'v>, Int, Flag, Time, IntOrPercent<'v>, Base64Length);

/// A string; empty when absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'v> {
    /// As the object has it.
    Is(Cow<'v, str>),
    /// Not a string.
    Spoiled,
}

impl Text<'_> {
    /// The string; empty when spoiled.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Is(text) => text,
            Self::Spoiled => "",
        }
    }

    /// Whether it is the empty string. A spoiled one is not: it shall reach a row and be counted.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Is(text) if text.is_empty())
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Is(Cow::Borrowed(""))
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        matches!(self, Self::Is(text) if text == other)
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl<'de: 'v, 'v> Leaf<'de> for Text<'v> {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn text(text: Cow<'de, str>) -> Self {
        Self::Is(text)
    }
}

/// A whole number; 0 when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    /// As the object has it.
    Is(i64),
    /// Not a whole number.
    Spoiled,
}

impl Default for Int {
    fn default() -> Self {
        Self::Is(0)
    }
}

impl Leaf<'_> for Int {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn int(int: i64) -> Self {
        Self::Is(int)
    }
}

/// A truth value; false when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// As the object has it.
    Is(bool),
    /// Neither true nor false.
    Spoiled,
}

impl Flag {
    /// Whether it is true.
    pub fn is_set(self) -> bool {
        self == Self::Is(true)
    }
}

impl Default for Flag {
    fn default() -> Self {
        Self::Is(false)
    }
}

impl Leaf<'_> for Flag {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn flag(flag: bool) -> Self {
        Self::Is(flag)
    }
}

/// A point in time, in whole seconds since the Unix epoch, rounded down; [`ZERO_TIME`] when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// As the object has it.
    At(i64),
    /// Not an RFC 3339 timestamp.
    Spoiled,
}

impl Time {
    /// The time, unless it is Go's zero time.
    pub fn unless_zero(self) -> Option<Self> {
        (self != Self::At(ZERO_TIME)).then_some(self)
    }

    /// Seconds since the Unix epoch, unless zero or spoiled.
    pub fn seconds(self) -> Option<i64> {
        match self {
            Self::At(ZERO_TIME) | Self::Spoiled => None,
            Self::At(seconds) => Some(seconds),
        }
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::At(ZERO_TIME)
    }
}

impl<'v> Leaf<'v> for Time {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn text(text: Cow<'v, str>) -> Self {
        time::rfc3339(&text).map_or(Self::Spoiled, Self::At)
    }
}

/// A number of things, or a percentage of some total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntOrPercent<'v> {
    /// A number.
    Int(i64),
    /// A string that should end in `%`.
    Text(Cow<'v, str>),
    /// Neither.
    Spoiled,
}

/// Which way a part of a thing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the next lower whole number.
    Down,
    /// To the next higher whole number.
    Up,
}

impl IntOrPercent<'_> {
    /// The number of things out of `total`. `None` when the string is no percentage.
    pub fn of(&self, total: i64, rounding: Rounding) -> Option<f64> {
        let text = match self {
            Self::Int(int) => return Some(*int as f64),
            Self::Text(text) => text,
            Self::Spoiled => return None,
        };
        let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
        let exact = percent as f64 * total as f64 / 100.0;
        Some(match rounding {
            Rounding::Down => exact.floor(),
            Rounding::Up => exact.ceil(),
        })
    }
}

impl Default for IntOrPercent<'_> {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl<'de: 'v, 'v> Leaf<'de> for IntOrPercent<'v> {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn int(int: i64) -> Self {
        Self::Int(int)
    }
    fn text(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }
}

/// How many bytes a base64 string stands for; the bytes themselves are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64Length {
    /// So many.
    Bytes(i64),
    /// Not base64.
    Spoiled,
}

impl Default for Base64Length {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

impl<'v> Leaf<'v> for Base64Length {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn text(text: Cow<'v, str>) -> Self {
        let letters = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n' | b'=')).count();
        let padding = text.bytes().filter(|b| *b == b'=').count();
        if padding > 2 || !(letters + padding).is_multiple_of(4) {
            return Self::Spoiled;
        }
        Self::Bytes(i64::try_from(letters * 3 / 4).unwrap_or(i64::MAX))
    }
}

/// An object inside an object; all its fields have their zero values when it is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sub<T>(T);

impl<T> Deref for Sub<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'v, T: Deserialize<'v> + Default> Leaf<'v> for Sub<T> {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self(T::deserialize(Spoil).unwrap_or_default())
    }
    fn object<A: MapAccess<'v>>(object: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(Self)
    }
}

impl<'v, T: Deserialize<'v> + Default> Deserialize<'v> for Sub<T> {
    fn deserialize<D: Deserializer<'v>>(deserializer: D) -> Result<Self, D::Error> {
        any_shape(deserializer)
    }
}

/// A list; empty when absent.
#[derive(Clone, Debug, PartialEq)]
pub enum List<T> {
    /// As the object has it.
    Is(Vec<T>),
    /// Not a list.
    Spoiled,
}

impl<T> List<T> {
    /// How many elements there are.
    pub fn count(&self) -> Int {
        match self {
            Self::Is(list) => Int::Is(i64::try_from(list.len()).unwrap_or(i64::MAX)),
            Self::Spoiled => Int::Spoiled,
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::Is(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Is(list) => list,
            Self::Spoiled => &[],
        }
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'v, T: Deserialize<'v>> Leaf<'v> for List<T> {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn list<A: SeqAccess<'v>>(mut list: A) -> Result<Self, A::Error> {
        let mut all = Vec::with_capacity(list.size_hint().unwrap_or(0).min(64));
        while let Some(element) = list.next_element()? {
            all.push(element);
        }
        Ok(Self::Is(all))
    }
}

impl<'v, T: Deserialize<'v>> Deserialize<'v> for List<T> {
    fn deserialize<D: Deserializer<'v>>(deserializer: D) -> Result<Self, D::Error> {
        any_shape(deserializer)
    }
}

/// A map from strings, sorted by key; empty when absent.
#[derive(Clone, Debug, PartialEq)]
pub enum Dict<'v, T> {
    /// As the object has it.
    Is(Vec<(Text<'v>, T)>),
    /// Not a map.
    Spoiled,
}

impl<T> Dict<'_, T> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&T> {
        let Self::Is(entries) = self else { return None };
        let at = entries.binary_search_by(|(candidate, _)| candidate.as_str().cmp(key)).ok()?;
        entries.get(at).map(|(_, value)| value)
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let entries = match self {
            Self::Is(entries) => entries.as_slice(),
            Self::Spoiled => &[],
        };
        entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether it was not a map.
    pub fn is_spoiled(&self) -> bool {
        matches!(self, Self::Spoiled)
    }
}

impl<T> Default for Dict<'_, T> {
    fn default() -> Self {
        Self::Is(Vec::new())
    }
}

impl<'de: 'v, 'v, T: Deserialize<'de>> Leaf<'de> for Dict<'v, T> {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut entries: Vec<(Text<'v>, T)> = Vec::new();
        while let Some(entry) = object.next_entry()? {
            entries.push(entry);
        }
        let by_key = |a: &(Text<'v>, T), b: &(Text<'v>, T)| a.0.as_str().cmp(b.0.as_str());
        if !entries.is_sorted_by(|a, b| by_key(a, b).is_le()) {
            entries.sort_by(by_key);
        }
        Ok(Self::Is(entries))
    }
}

impl<'de: 'v, 'v, T: Deserialize<'de>> Deserialize<'de> for Dict<'v, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        any_shape(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
    struct Thing<'v> {
        name: Text<'v>,
        replica_count: Int,
        parts: List<Sub<Part<'v>>>,
        inner: Sub<Part<'v>>,
        maybe: Option<Sub<Part<'v>>>,
        at: Time,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, bound = "'de: 'v")]
    struct Part<'v> {
        id: Text<'v>,
        maybe: Option<Int>,
    }

    fn thing(json: &str) -> Thing<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn absent_and_null_are_the_zero_value() {
        for json in ["{}", r#"{"name":null,"replicaCount":null,"parts":null,"inner":null,"maybe":null,"at":null}"#] {
            let thing = thing(json);
            assert!(thing.name.is_empty() && thing.parts.is_empty() && thing.maybe.is_none());
            assert_eq!(thing.replica_count, Int::Is(0));
            assert_eq!(thing.at, Time::At(ZERO_TIME));
        }
    }

    #[test]
    fn a_wrong_shape_spoils_what_is_below_it_and_no_more() {
        let thing =
            thing(r#"{"name":7,"replicaCount":"3","parts":[{"id":"a"},5,null],"inner":[1],"maybe":"x","at":1}"#);
        assert_eq!(thing.name, Text::Spoiled);
        assert_eq!(thing.replica_count, Int::Spoiled);
        assert_eq!(thing.at, Time::Spoiled);
        let spoiled = Part { id: Text::Spoiled, maybe: Some(Int::Spoiled) };
        assert_eq!(*thing.inner, spoiled);
        assert_eq!(thing.maybe.as_deref(), Some(&spoiled));
        let ids: Vec<_> = thing.parts.iter().map(|part| part.id.clone()).collect();
        assert_eq!(ids, [Text::Is("a".into()), Text::Spoiled, Text::default()]);
    }

    #[test]
    fn seconds_round_down_on_both_sides_of_the_epoch() {
        let at = |text: &str| Time::text(Cow::Borrowed(text));
        assert_eq!(at("2017-07-14T02:40:00.999999Z"), Time::At(1_500_000_000));
        assert_eq!(at("1969-12-31T23:59:58.5Z"), Time::At(-2));
        assert_eq!(at("2017-07-14T04:40:00+02:00"), Time::At(1_500_000_000));
        assert_eq!(at("0001-01-01T00:00:00Z").unless_zero(), None);
        assert_eq!(at("yesterday"), Time::Spoiled);
    }

    #[test]
    fn percentages_round_as_asked() {
        let percent = |text| IntOrPercent::Text(Cow::Borrowed(text));
        assert_eq!(percent("25%").of(10, Rounding::Down), Some(2.0));
        assert_eq!(percent("25%").of(10, Rounding::Up), Some(3.0));
        assert_eq!(percent("+10%").of(50, Rounding::Up), Some(5.0));
        assert_eq!(percent("25").of(10, Rounding::Up), None);
        assert_eq!(IntOrPercent::Int(4).of(10, Rounding::Up), Some(4.0));
    }

    #[test]
    fn base64_is_measured_without_decoding() {
        let length = |text| Base64Length::text(Cow::Borrowed(text));
        assert_eq!(length(""), Base64Length::Bytes(0));
        assert_eq!(length("YWI="), Base64Length::Bytes(2));
        assert_eq!(length("YWJj\nZA=="), Base64Length::Bytes(4));
        assert_eq!(length("abc"), Base64Length::Spoiled);
    }
}
