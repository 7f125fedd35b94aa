//! Options of a program, from the JSON schema of its configuration: names, types, defaults, docs.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::allowed::Allowed;

/// The kind of values that an option takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Text.
    Text,
    /// One of these words.
    Words(Vec<String>),
    /// Several of what is inside.
    List(Box<Self>),
    /// Something that only the file can say.
    Structure,
}

/// One option.
#[derive(Clone, Debug)]
pub(crate) struct Knob {
    /// Its dotted key in the file: `web.listen_address`.
    pub(crate) key: String,
    /// Its flag without the dashes; `None` when only the file has it.
    pub(crate) flag: Option<String>,
    /// The environment variable that sets it.
    pub(crate) env: Option<String>,
    /// The kind of values it takes.
    pub(crate) shape: Shape,
    /// Whether it may be left unset.
    pub(crate) optional: bool,
    /// The value that it has when nobody sets it.
    pub(crate) default: Value,
    /// Its purpose.
    pub(crate) about: String,
    /// `duration` and the like.
    pub(crate) format: Option<String>,
    /// The values that it takes beyond its type.
    pub(crate) allowed: Allowed,
    /// Whether another value takes effect only after a restart.
    pub(crate) after_restart: bool,
}

impl Knob {
    /// Its value in a configuration; `None` where that does not have it.
    pub(crate) fn of<'v>(&self, config: &'v Value) -> Option<&'v Value> {
        self.key.split('.').try_fold(config, |inner, part| inner.get(part))
    }

    /// Whether it may have this value; the error says what is wrong with it.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        if *value == self.default { Ok(()) } else { self.allowed.check(value) }
    }
}

/// A section of the file and what it is for, by dotted key; the root has the empty key.
pub(crate) type Section = (String, String);

/// All options of `T` and its sections, by name.
pub(crate) fn knobs<T: JsonSchema + Serialize + Default>() -> (Vec<Knob>, Vec<Section>) {
    let schema = schemars::schema_for!(T).to_value();
    let defaults = serde_json::to_value(T::default()).unwrap_or(Value::Null);
    let mut reader = Reader { root: &schema, knobs: Vec::new(), sections: Vec::new() };
    reader.object("", &schema, &defaults);
    (reader.knobs, reader.sections)
}

struct Reader<'a> {
    root: &'a Value,
    knobs: Vec<Knob>,
    sections: Vec<Section>,
}

impl<'a> Reader<'a> {
    fn object(&mut self, key: &str, schema: &'a Value, defaults: &Value) {
        let about = text(schema, "description").unwrap_or_default();
        self.sections.push((key.to_owned(), about));
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        for (name, property) in properties {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let default = defaults.get(name).unwrap_or(&Value::Null);
            self.property(&key, property, default);
        }
    }

    fn property(&mut self, key: &str, property: &'a Value, default: &Value) {
        let (schema, optional) = self.resolve(property);
        if schema.get("properties").is_some() && !optional {
            let at = self.sections.len();
            self.object(key, schema, default);
            // What is said at the field is nearer than what is said at its type.
            if let (Some(about), Some(section)) = (text(property, "description"), self.sections.get_mut(at)) {
                section.1 = about;
            }
            return;
        }
        let shape = self.shape(schema);
        let flag = flag_of(key, property, &shape);
        self.knobs.push(Knob {
            key: key.to_owned(),
            flag,
            env: text(property, "x-env"),
            shape,
            optional,
            default: default.clone(),
            about: text(property, "description").or_else(|| text(schema, "description")).unwrap_or_default(),
            format: text(schema, "format"),
            allowed: Allowed::of(property, schema),
            after_restart: property.get("x-restart") == Some(&Value::Bool(true)),
        });
    }

    /// Follows references, and takes `null` out of alternatives.
    fn resolve(&self, schema: &'a Value) -> (&'a Value, bool) {
        let (mut schema, mut optional) = (schema, false);
        for _ in 0..16 {
            if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#')) {
                let Some(found) = self.root.pointer(target) else { break };
                schema = found;
            } else if let Some(some) = schema.get("anyOf").and_then(Value::as_array).and_then(|all| not_null(all)) {
                schema = some;
                optional = true;
            } else {
                break;
            }
        }
        let nullable = schema.get("type").and_then(Value::as_array).is_some_and(|all| all.contains(&"null".into()));
        (schema, optional || nullable)
    }

    fn shape(&self, schema: &'a Value) -> Shape {
        if let Some(words) = words(schema) {
            return Shape::Words(words);
        }
        match type_of(schema) {
            Some("boolean") => Shape::Switch,
            Some("integer") => Shape::Integer,
            Some("number") => Shape::Number,
            Some("string") => Shape::Text,
            Some("array") => match schema.get("items").map(|items| self.shape(self.resolve(items).0)) {
                None | Some(Shape::Structure | Shape::List(_)) => Shape::Structure,
                Some(item) => Shape::List(Box::new(item)),
            },
            _ => Shape::Structure,
        }
    }
}

fn flag_of(key: &str, property: &Value, shape: &Shape) -> Option<String> {
    if *shape == Shape::Structure || property.get("x-flag") == Some(&Value::Bool(false)) {
        return None;
    }
    Some(text(property, "x-flag").unwrap_or_else(|| key.replace('_', "-")))
}

fn not_null(alternatives: &[Value]) -> Option<&Value> {
    let null = |schema: &&Value| type_of(schema) == Some("null");
    let (nulls, rest): (Vec<&Value>, Vec<&Value>) = alternatives.iter().partition(null);
    match (nulls.len(), rest.as_slice()) {
        (1, [one]) => Some(one),
        _ => None,
    }
}

fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(one) => Some(one),
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

/// The words of an enum of plain variants, documented or not.
fn words(schema: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        return all.iter().filter(|value| !value.is_null()).map(word).collect();
    }
    let mut words = Vec::new();
    for variant in schema.get("oneOf")?.as_array()? {
        match (variant.get("const"), variant.get("enum").and_then(Value::as_array)) {
            (Some(one), _) => words.push(word(one)?),
            (None, Some(some)) => words.extend(some.iter().map(word).collect::<Option<Vec<_>>>()?),
            (None, None) => return None,
        }
    }
    Some(words)
}

fn text(schema: &Value, field: &str) -> Option<String> {
    let text = schema.get(field)?.as_str()?;
    Some(text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n"))
}

/// Puts `value` at the dotted `key` of `target`, making mappings on the way.
pub(crate) fn put(target: &mut Value, key: &str, value: Value) {
    let mut place = target;
    for part in key.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(map) = place else { return };
        place = map.entry(part).or_insert(Value::Null);
    }
    *place = value;
}

/// Takes over into `target` what `present` has, with the values that `typed` has for it.
pub(crate) fn overlay(target: &mut Value, present: &Value, typed: &Value) {
    match (target, present, typed) {
        (Value::Object(target), Value::Object(present), Value::Object(typed)) => {
            for (name, inner) in present {
                let Some(value) = typed.get(name) else { continue };
                overlay(target.entry(name).or_insert(Value::Null), inner, value);
            }
        }
        (target, _, typed) => *target = typed.clone(),
    }
}
