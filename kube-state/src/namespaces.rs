//! Namespaces selected by labels. Watches in them start and stop as namespaces match.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use kubernetes::lax::{Sub, Text};
use parking_lot::Mutex;
use serde::Deserialize;

use crate::{kind::BadObject, moves::Moves, rows::Rows, watch::Render};

/// Follows the namespaces that a selector finds; clones are the same follower. It is what renders them.
#[derive(Clone, Debug, Default)]
pub struct Namespaces(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Names by uid.
    names: Mutex<HashMap<String, String>>,
    moves: Moves,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct View<'v> {
    metadata: Sub<Metadata<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Metadata<'v> {
    name: Text<'v>,
    uid: Text<'v>,
}

impl Namespaces {
    /// The namespaces that there are now, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.names.lock().values().cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Waits until they are others, and acts.
    pub async fn next(&self, act: impl FnOnce()) {
        self.0.moves.next(act).await;
    }

    /// Whether all that is known is acted on.
    pub fn is_settled(&self) -> bool {
        self.0.moves.is_settled()
    }
}

impl Render for Namespaces {
    fn render(&self, json: &[u8], rows: &mut Rows) -> Result<(), BadObject> {
        let plural = Cow::Borrowed("namespaces");
        let view: View<'_> =
            serde_json::from_slice(json).map_err(|source| BadObject::Read { plural: plural.clone(), source })?;
        let (uid, name) = (view.metadata.uid.as_str(), view.metadata.name.as_str());
        if uid.is_empty() || name.is_empty() {
            return Err(BadObject::Unnamed { plural, uid: uid.to_owned() });
        }
        rows.start(uid, &[]);
        if self.0.names.lock().insert(uid.to_owned(), name.to_owned()).is_none() {
            self.0.moves.note();
        }
        Ok(())
    }

    fn family(&self, _index: u16) -> &'static str {
        ""
    }

    fn gone(&self, _json: &[u8], uid: &str) {
        if self.0.names.lock().remove(uid).is_some() {
            self.0.moves.note();
        }
    }

    fn listed(&self, has: &dyn Fn(&str) -> bool, _moved: bool) {
        let mut names = self.0.names.lock();
        let before = names.len();
        names.retain(|uid, _| has(uid));
        if names.len() < before {
            self.0.moves.note();
        }
    }
}
