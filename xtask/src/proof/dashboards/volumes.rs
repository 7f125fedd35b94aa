//! Stands in for the volume statistics of a kubelet that has none: some machines' root file systems are such that the
//! kubelet's summary fails. The numbers are those of the file system that the volume is on, under the kubelet's names.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::http;

/// The claim that the volume is bound to.
const CLAIM: &str = "namespace=\"store\",persistentvolumeclaim=\"data-db-0\"";

/// Serves until the program ends; says where.
pub(super) fn serve(folder: PathBuf) -> Result<String> {
    let address = format!("127.0.0.1:{}", http::free_port()?);
    let listener = TcpListener::bind(&address).with_context(|| format!("cannot listen on {address}"))?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // One who asks sends little, and one who has gone needs no answer.
            if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                let page = page(&folder).unwrap_or_default();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
                write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len()).ok();
            }
        }
    });
    Ok(address)
}

fn page(folder: &Path) -> Result<String> {
    let volume = rustix::fs::statvfs(folder).with_context(|| format!("no statistics of {}", folder.display()))?;
    let values = [
        ("capacity_bytes", volume.f_blocks * volume.f_frsize),
        ("available_bytes", volume.f_bavail * volume.f_frsize),
        ("used_bytes", (volume.f_blocks - volume.f_bfree) * volume.f_frsize),
        ("inodes", volume.f_files),
        ("inodes_free", volume.f_ffree),
        ("inodes_used", volume.f_files - volume.f_ffree),
    ];
    let line = |(name, value): (&str, u64)| {
        let name = format!("kubelet_volume_stats_{name}");
        format!("# TYPE {name} gauge\n{name}{{{CLAIM}}} {value}\n")
    };
    Ok(values.map(line).concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_the_statistics_of_its_file_system() {
        let page = http::get(&format!("http://{}/metrics", serve("/".into()).unwrap())).unwrap();
        assert_eq!(page.lines().filter(|line| line.starts_with("kubelet_volume_stats_")).count(), 6, "{page}");
    }
}
