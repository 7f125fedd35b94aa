//! Who is called: a real Alertmanager with the example configuration, and in place of chats and pagers a list of the
//! notifications that it sends.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process::{self, Tied};
use crate::{http, places};

/// The example, and the address in it that notifications go to.
const EXAMPLE: [&str; 2] = ["alerts/alertmanager/alertmanager.yaml", "127.0.0.1:9095"];
/// The receiver that hears from Alertmanager all the time.
const ALIVE: &str = "dead-mans-switch";

/// An alert that somebody was told of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Note {
    /// Whose chat or pager.
    pub(crate) receiver: String,
    /// Whether it fires; else it is over.
    pub(crate) fires: bool,
    pub(crate) labels: Value,
    pub(crate) annotations: Value,
}

impl Note {
    /// A label's value, or nothing.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }
}

/// An Alertmanager that runs, and what it sent.
pub(crate) struct Pager {
    /// Where it listens.
    pub(crate) url: String,
    notes: Arc<Mutex<Vec<Note>>>,
    _process: Tied,
}

impl Pager {
    /// Starts it with the waiting times of the example made shorter, for rules whose times are shorter too.
    pub(crate) fn start(program: &std::path::Path) -> Result<Self> {
        let receiver = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen for notifications")?;
        let address = receiver.local_addr()?.to_string();
        let notes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&notes);
        std::thread::spawn(move || {
            for stream in receiver.incoming().flatten() {
                // One that breaks off is sent again.
                if let Ok(new) = received(stream) {
                    kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(new);
                }
            }
        });
        let [example, placeholder] = EXAMPLE;
        let path = places::repo().join(example);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = text.replace(placeholder, &address).replace("group_wait: 30s", "group_wait: 3s");
        let dir = places::cache("alertmanager-demo")?;
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        places::write(&dir.join("alertmanager.yml"), text)?;
        let url = format!("http://127.0.0.1:{}", http::free_port()?);
        let mut command = process::tied(program);
        command.current_dir(&dir).args(["--config.file=alertmanager.yml", "--storage.path=data"]);
        command.arg(format!("--web.listen-address={}", url.trim_start_matches("http://")));
        command.arg("--cluster.listen-address=");
        let mut process = Tied::start("Alertmanager", &mut command, &dir.join("log"))?;
        process.wait_until(Duration::from_secs(30), || http::get(&format!("{url}/-/ready")).is_ok())?;
        Ok(Self { url, notes, _process: process })
    }

    /// Takes the notifications that came since the last call, without those that only say that all is well.
    pub(crate) fn take(&self) -> Vec<Note> {
        let mut notes = self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *notes).into_iter().filter(|note| note.receiver != ALIVE).collect()
    }
}

/// Reads one notification and answers it.
fn received(mut stream: TcpStream) -> Result<Vec<Note>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().context("content-length")?;
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    notes(&body)
}

/// The alerts of a notification.
fn notes(body: &[u8]) -> Result<Vec<Note>> {
    let body: Value = serde_json::from_slice(body).context("a notification that is no JSON")?;
    let note = |alert: &Value| Note {
        receiver: body["receiver"].as_str().unwrap_or_default().to_owned(),
        fires: alert["status"] == "firing",
        labels: alert["labels"].clone(),
        annotations: alert["annotations"].clone(),
    };
    Ok(body["alerts"].as_array().into_iter().flatten().map(note).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_tells_of_each_of_its_alerts() {
        let body = br#"{"receiver": "front", "status": "firing", "alerts": [
            {"status": "firing", "labels": {"alertname": "A"}, "annotations": {"summary": "a"}},
            {"status": "resolved", "labels": {"alertname": "B"}, "annotations": {}}]}"#;
        let notes = notes(body).unwrap();
        assert_eq!(
            notes.iter().map(|note| (note.label("alertname"), note.fires)).collect::<Vec<_>>(),
            [("A", true), ("B", false)]
        );
        assert_eq!((notes[0].receiver.as_str(), notes[0].label("team")), ("front", ""));
    }
}
