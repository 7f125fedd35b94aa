//! Event records, written as lines of JSON to the configured file.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{Event, Feeds, flow::Flow, started::Started};
use crate::config::Events;

/// Events that wait for a slow disk.
const QUEUE: usize = 8192;
/// How long a line waits for others at most.
const FLUSH_AFTER: Duration = Duration::from_millis(200);
/// How many bytes of lines wait for others at most.
const FLUSH_AT: usize = 32 << 10;
/// How long is waited after a failure to write.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Starts writing what is asked for. The threads end with the process.
pub fn start(config: &Events, feeds: &Feeds) -> Result<()> {
    follow::<Flow>(feeds, "events.flows", &config.flows)?;
    follow::<Started>(feeds, "events.starts", &config.starts)
}

fn follow<E: Event + Serialize>(feeds: &Feeds, option: &'static str, path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let mut to = open(option, path)?;
    let events = feeds.follow::<E>(QUEUE);
    let path: PathBuf = path.to_owned();
    let writing = move || {
        let mut is_told = false;
        while let Err(error) = write(&events, &mut to) {
            if !std::mem::replace(&mut is_told, true) {
                let path = path.display();
                tracing::error!(%error, %path, option, "cannot write events; those of a while are lost, trying again");
            }
            std::thread::sleep(AFTER_FAILURE);
            match open(option, &path) {
                Ok(again) => {
                    to = again;
                    // What was written last may have no end.
                    drop(to.write_all(b"\n"));
                }
                Err(error) => tracing::debug!(error = daemon::chain(&*error), "cannot open the file of events again"),
            }
        }
    };
    daemon::task::thread("yagura-events", writing)
        .with_context(|| format!("{option}: cannot start the thread that writes"))?;
    Ok(())
}

fn open(option: &str, path: &Path) -> Result<Box<dyn Write + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    let file = OpenOptions::new().create(true).append(true).open(path);
    Ok(Box::new(file.with_context(|| format!("{option}: cannot write {}", path.display()))?))
}

/// Writes until nobody tells any more. Only whole lines are handed to `to`, so that two threads may write to one file.
fn write<T: Serialize>(events: &Receiver<Arc<T>>, mut to: impl Write) -> io::Result<()> {
    let mut lines = Vec::new();
    loop {
        let received = events.recv_timeout(FLUSH_AFTER);
        if let Ok(event) = &received {
            serde_json::to_writer(&mut lines, &**event)?;
            lines.push(b'\n');
        }
        if (received.is_err() || lines.len() >= FLUSH_AT) && !lines.is_empty() {
            to.write_all(&lines)?;
            to.flush()?;
            lines.clear();
        }
        if matches!(received, Err(RecvTimeoutError::Disconnected)) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::stream::Stream;

    #[test]
    fn a_record_is_a_line() {
        let stream = Stream::new();
        let records = stream.follow(4);
        stream.tell(Flow { direction: "outbound", outcome: "refused", peer_port: 80, ..Flow::default() });
        stream.tell(Flow { opened: true, outcome: "closed", seconds: Some(0.5), ..Flow::default() });
        drop(stream);
        let mut text = Vec::new();
        write(&records, &mut text).unwrap();
        let lines: Vec<serde_json::Value> =
            String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["outcome"], &lines[0]["peer_port"]), (&"refused".into(), &80.into()));
        assert!(lines[0].get("seconds").is_none());
        assert_eq!((&lines[1]["opened"], &lines[1]["seconds"]), (&true.into(), &0.5.into()));
    }
}
