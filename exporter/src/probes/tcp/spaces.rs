//! Runs a socket iterator in every network namespace: it only sees sockets of the caller's namespace.

use std::{collections::HashSet, fs::File, os::fd::AsFd};

use kernfs::{Host, Reader};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::probes::object::Iterator;

/// Runs it once in each. One that cannot be entered is left out; its connections are counted from their next.
pub(super) fn in_each(host: &Host, iterator: &Iterator) {
    let spaces = network_spaces(host);
    // Namespaces belong to threads: one that has been elsewhere is not used for anything else.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut failed = 0_u32;
            for space in &spaces {
                let entered = move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network));
                let ran = entered.map_err(std::io::Error::from).and_then(|()| iterator.run());
                if let Err(error) = ran {
                    failed += 1;
                    tracing::debug!(%error, "cannot iterate over the sockets of a network namespace");
                }
            }
            if failed > 0 {
                let spaces = spaces.len();
                tracing::warn!(failed, spaces, "cannot enter all network namespaces: connections opened before the agent started are not counted there; grant CAP_SYS_ADMIN");
            }
        });
    });
}

/// One handle on each network namespace that a process is in.
fn network_spaces(host: &Host) -> Vec<File> {
    let reader = Reader::default();
    let mut processes = Vec::new();
    let listed = reader.list(&host.proc, "", |name, is_dir| {
        if is_dir && name.bytes().all(|byte| byte.is_ascii_digit()) {
            processes.push(name.to_owned());
        }
    });
    if let Err(error) = listed {
        tracing::debug!(%error, "cannot list processes");
    }
    let mut known = HashSet::new();
    let mut spaces = Vec::new();
    for process in processes {
        let name = format!("{process}/ns/net");
        let Some(stat) = reader.stat(&host.proc, &name) else { continue };
        if known.insert(stat.st_ino)
            && let Ok(space) = File::open(host.proc.join(&name))
        {
            spaces.push(space);
        }
    }
    spaces
}
