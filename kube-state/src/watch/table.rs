//! Secrets as a table: metadata and type, never data (docs/decisions/0007). A row becomes an object with these two
//! fields.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Where the type is among a secret's columns. It is looked up by name when the server names its columns, which it
/// does once a list or watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeColumn(usize);

impl Default for TypeColumn {
    /// Where it has been since tables exist.
    fn default() -> Self {
        Self(1)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Table<'a> {
    /// `null` in all events but the first.
    column_definitions: Option<Vec<Column>>,
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Column {
    name: String,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    cells: Vec<&'a RawValue>,
    #[serde(borrow)]
    object: Partial<'a>,
}

#[derive(Deserialize)]
struct Partial<'a> {
    #[serde(borrow)]
    metadata: &'a RawValue,
}

impl TypeColumn {
    /// Looks for it in what stands before the rows of a list.
    pub fn look_up(&mut self, before_rows: &[u8]) {
        let mut text = before_rows.to_vec();
        text.extend_from_slice(b"]}");
        if let Ok(table) = serde_json::from_slice::<Table<'_>>(&text) {
            self.note(table.column_definitions.as_deref().unwrap_or_default());
        }
    }

    fn note(&mut self, columns: &[Column]) {
        if let Some(at) = columns.iter().position(|column| column.name == "Type") {
            self.0 = at;
        }
    }

    /// Appends the object that a row is about to `out`. False when the row cannot be read.
    pub fn object_of_row(self, row: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(row) = serde_json::from_slice::<Row<'_>>(row) else { return false };
        out.extend_from_slice(br#"{"metadata":"#);
        out.extend_from_slice(row.object.metadata.get().as_bytes());
        if let Some(cell) = row.cells.get(self.0) {
            out.extend_from_slice(br#","type":"#);
            out.extend_from_slice(cell.get().as_bytes());
        }
        out.push(b'}');
        true
    }

    /// Appends the object that an event is about. An event has a table with one row; the first also names the columns.
    pub fn object_of_event(&mut self, object: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(table) = serde_json::from_slice::<Table<'_>>(object) else { return false };
        self.note(table.column_definitions.as_deref().unwrap_or_default());
        table.rows.first().is_some_and(|row| self.object_of_row(row.get().as_bytes(), out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[u8] = br#"{"cells":["token",3,"kubernetes.io/tls","5d"],"object":{"kind":"PartialObjectMetadata","metadata":{"name":"token","uid":"u"}}}"#;

    #[test]
    fn a_row_becomes_metadata_and_type() {
        let mut column = TypeColumn::default();
        column.look_up(br#"{"kind":"Table","metadata":{},"columnDefinitions":[{"name":"Name","priority":0},{"name":"Data"},{"name":"Type"}],"rows":["#);
        let mut out = Vec::new();
        assert!(column.object_of_row(ROW, &mut out));
        assert_eq!(out, br#"{"metadata":{"name":"token","uid":"u"},"type":"kubernetes.io/tls"}"#);
    }

    #[test]
    fn an_event_is_a_table_of_one_row() {
        let (mut column, mut out) = (TypeColumn::default(), Vec::new());
        let event = [br#"{"kind":"Table","columnDefinitions":[{"name":"Type"}],"rows":["#, ROW, b"]}"].concat();
        assert!(column.object_of_event(&event, &mut out));
        assert_eq!(column, TypeColumn(0));
        let later = [br#"{"kind":"Table","columnDefinitions":null,"rows":["#, ROW, b"]}"].concat();
        assert!(column.object_of_event(&later, &mut out));
        assert!(!column.object_of_event(br#"{"kind":"Table","rows":[]}"#, &mut out));
        assert!(!column.object_of_event(br#"{"rows":[{"cells":[]}]}"#, &mut out));
    }
}
