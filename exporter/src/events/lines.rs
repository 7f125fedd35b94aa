//! Records of single events, written as lines of JSON where the operator wants them.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::flow::FLOWS;
use crate::config::Events;

/// Records that wait for a slow disk.
const ROOM: usize = 8192;
/// How long a line waits for others at most.
const FLUSH: Duration = Duration::from_millis(200);

/// Starts writing what is asked for. The thread ends with the process.
pub fn start(config: &Events) -> Result<()> {
    if config.flows.as_os_str().is_empty() {
        return Ok(());
    }
    let to = open(&config.flows)?;
    let flows = FLOWS.follow(ROOM);
    let path = config.flows.clone();
    std::thread::Builder::new()
        .name("yagura-events".into())
        .spawn(move || {
            if let Err(error) = write(&flows, to) {
                tracing::error!(%error, path = %path.display(), "cannot write flow records; none is written any more");
            }
        })
        .context("cannot start the thread that writes flow records")?;
    Ok(())
}

fn open(path: &Path) -> Result<Box<dyn Write + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    let file = OpenOptions::new().create(true).append(true).open(path);
    Ok(Box::new(file.with_context(|| format!("events.flows: cannot write {}", path.display()))?))
}

/// Writes until nobody tells any more.
fn write<T: Serialize>(records: &Receiver<Arc<T>>, to: impl Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    loop {
        match records.recv_timeout(FLUSH) {
            Ok(record) => {
                serde_json::to_writer(&mut to, &*record)?;
                to.write_all(b"\n")?;
            }
            Err(RecvTimeoutError::Timeout) => to.flush()?,
            Err(RecvTimeoutError::Disconnected) => return to.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{flow::Flow, stream::Stream};

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
