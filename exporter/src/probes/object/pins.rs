//! Programs, maps and links that stay on a BPF file system when the agent ends, and are found by the next one.
//!
//! A folder an object, whose name tells whether the object is the same: `lifetime-0123456789abcdef/{map,program,link}_*`.

use std::{fs, os::fd::AsFd as _, path::Path};

use super::{
    call,
    plan::{Parts, Plan},
};
use crate::spec::Unavailable;

/// Leaves all parts of an object in a folder, which is made.
pub(super) fn pin(parts: &Parts, folder: &Path) -> Result<(), Unavailable> {
    let pinned = fs::create_dir_all(folder).and_then(|()| {
        let maps = parts.maps.iter().filter(|(name, _)| !name.starts_with('.'));
        for (name, fd) in maps {
            call::obj_pin(fd.as_fd(), &folder.join(format!("map_{name}")))?;
        }
        for (name, _, fd) in &parts.programs {
            call::obj_pin(fd.as_fd(), &folder.join(format!("program_{name}")))?;
        }
        // Links come last: when they are all there, so is everything else.
        for (name, _, _) in &parts.programs {
            if let Some(fd) = parts.links.get(name) {
                call::obj_pin(fd.as_fd(), &folder.join(format!("link_{name}")))?;
            }
        }
        Ok(())
    });
    pinned.map_err(|error| {
        let _ = fs::remove_dir_all(folder);
        Unavailable(format!("cannot pin to {}: {error}", folder.display()))
    })
}

/// The parts that an agent before us left in a folder; `None` unless they are all there.
pub(super) fn found(plan: &Plan<'_>, folder: &Path) -> Option<Parts> {
    let mut parts = Parts::default();
    for (name, hook) in plan.hooks {
        parts.links.insert(name, call::obj_get(&folder.join(format!("link_{name}"))).ok()?);
        parts.programs.push((name, *hook, call::obj_get(&folder.join(format!("program_{name}"))).ok()?));
    }
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let file = entry.file_name();
        if let Some(name) = file.to_str().and_then(|file| file.strip_prefix("map_")) {
            parts.maps.insert(name.to_owned(), call::obj_get(&entry.path()).ok()?);
        }
    }
    Some(parts)
}

/// Whether a folder, or where it would be made, is on a BPF file system.
pub fn is_bpffs(folder: &Path) -> bool {
    const BPF_FS: u64 = 0xcafe_4a11;
    let there = folder.ancestors().find_map(|folder| rustix::fs::statfs(folder).ok());
    there.is_some_and(|system| u64::try_from(system.f_type).is_ok_and(|kind| kind == BPF_FS))
}

/// Differs when the object or the way it is loaded does (FNV-1a).
pub(super) fn fingerprint(plan: &Plan<'_>) -> u64 {
    let text = format!("{:?} {:?}", plan.constants, plan.sizes);
    let bytes = plan.image.iter().chain(text.as_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Ends what another version of the agent left at work, or what was left half pinned.
pub(super) fn forget(root: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|file| {
            file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).is_some_and(|hash| hash.len() == 16)
        });
        if is_ours {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
