//! The last hop: a webhook that Alertmanager calls, and what it was told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

pub(super) type Labels = BTreeMap<String, String>;

/// One alert in one notification.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// When it came.
    pub(super) at: Instant,
    /// Whether it fires; else it is resolved.
    pub(super) is_firing: bool,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
}

impl Notice {
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Whether it is one of our set's.
    pub(super) fn is_ours(&self) -> bool {
        self.label("source") == "yagura"
    }
}

#[derive(Debug, Default)]
struct Heard {
    notices: Mutex<Vec<Notice>>,
    more: Condvar,
}

/// A server on a free port that keeps all it is told.
#[derive(Debug)]
pub(super) struct Receiver {
    port: u16,
    heard: Arc<Heard>,
}

impl Receiver {
    /// Begins to listen; the threads end with the program.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen for notifications")?;
        let port = listener.local_addr()?.port();
        let heard = Arc::new(Heard::default());
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&kept);
                // Alertmanager keeps connections, so one must not wait for another.
                std::thread::spawn(move || drop(serve(stream, &heard)));
            }
        });
        Ok(Self { port, heard })
    }

    /// Where it is called.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// All notices that came from a time on.
    pub(super) fn since(&self, from: Instant) -> Vec<Notice> {
        let notices = self.heard.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.iter().filter(|notice| notice.at >= from).cloned().collect()
    }

    /// The first notice from a time on that is wanted; `None` when none came before the deadline.
    pub(super) fn first(&self, from: Instant, until: Instant, wanted: impl Fn(&Notice) -> bool) -> Option<Notice> {
        let mut notices = self.heard.notices.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(notice) = notices.iter().find(|notice| notice.at >= from && wanted(notice)) {
                return Some(notice.clone());
            }
            let left = until.checked_duration_since(Instant::now())?;
            let wait = self.heard.more.wait_timeout(notices, left.min(Duration::from_secs(5)));
            (notices, _) = wait.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Answers one connection until it ends.
fn serve(mut stream: TcpStream, heard: &Heard) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut length, mut lines) = (0usize, 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            lines += 1;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.is_empty() && lines > 1 {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let message: Value = serde_json::from_slice(&body).context("a notification that is no JSON")?;
        let new = read(&message, Instant::now());
        heard.notices.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
        heard.more.notify_all();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}

/// What a message of Alertmanager's webhook holds.
fn read(message: &Value, at: Instant) -> Vec<Notice> {
    let map = |value: &Value| -> Labels {
        let pairs = value.as_object().into_iter().flatten();
        pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    };
    let alerts = message["alerts"].as_array().into_iter().flatten();
    let notice = |alert: &Value| Notice {
        at,
        is_firing: alert["status"] == "firing",
        labels: map(&alert["labels"]),
        annotations: map(&alert["annotations"]),
    };
    alerts.map(notice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alertmanager_sends_is_heard() {
        let receiver = Receiver::start().unwrap();
        let begin = Instant::now();
        let body = r#"{"alerts": [{"status": "firing", "labels": {"alertname": "A", "source": "yagura"}, "annotations": {"summary": "x"}},
            {"status": "resolved", "labels": {"alertname": "B"}, "annotations": {}}]}"#;
        let mut stream = TcpStream::connect(("127.0.0.1", receiver.port)).unwrap();
        for _ in 0..2 {
            write!(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            let mut answer = [0; 38];
            stream.read_exact(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"));
        }
        let until = begin + Duration::from_secs(10);
        let heard = receiver.first(begin, until, |notice| notice.label("alertname") == "A").unwrap();
        assert!(heard.is_firing && heard.is_ours() && heard.annotations["summary"] == "x");
        assert_eq!(receiver.since(begin).len(), 4);
        assert!(receiver.first(Instant::now(), Instant::now(), |_| true).is_none());
    }
}
