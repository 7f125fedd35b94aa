//! Selects version 1's blkio files. Each I/O scheduler has its own; files of a scheduler that is not in use
//! exist and are empty. They are tried, as runc does, in the order of detail: BFQ with debugging, BFQ, CFQ
//! (before Linux 5.0), throttling.
//!
//! A cgroup has numbers for a device only when the root has them too, so the root is asked first: what is empty there is
//! not read for the others.

use kernfs::{ReadError, Reader};

use super::parse::{self, Entry};
use crate::identity::{Controller, Group, Layout};

/// Files of one scheduler.
#[derive(Debug)]
pub(super) struct Files {
    /// The file that decides whether the scheduler is in use.
    pub(super) first: &'static str,
    pub(super) operations: &'static str,
    pub(super) bytes: &'static str,
    pub(super) time: Option<&'static str>,
    pub(super) merged: Option<&'static str>,
    pub(super) queued: Option<&'static str>,
}

const THROTTLE: &str = "blkio.throttle.io_serviced_recursive";

const FILES: [Files; 5] = [
    Files {
        first: "blkio.bfq.sectors_recursive",
        operations: "blkio.bfq.io_serviced_recursive",
        bytes: "blkio.bfq.io_service_bytes_recursive",
        time: Some("blkio.bfq.io_service_time_recursive"),
        merged: Some("blkio.bfq.io_merged_recursive"),
        queued: Some("blkio.bfq.io_queued_recursive"),
    },
    Files {
        first: "blkio.bfq.io_serviced_recursive",
        operations: "blkio.bfq.io_serviced_recursive",
        bytes: "blkio.bfq.io_service_bytes_recursive",
        time: None,
        merged: None,
        queued: None,
    },
    Files {
        first: "blkio.sectors_recursive",
        operations: "blkio.io_serviced_recursive",
        bytes: "blkio.io_service_bytes_recursive",
        time: Some("blkio.io_service_time_recursive"),
        merged: Some("blkio.io_merged_recursive"),
        queued: Some("blkio.io_queued_recursive"),
    },
    Files {
        first: THROTTLE,
        operations: THROTTLE,
        bytes: "blkio.throttle.io_service_bytes_recursive",
        time: None,
        merged: None,
        queued: None,
    },
    Files {
        first: "blkio.throttle.io_serviced",
        operations: "blkio.throttle.io_serviced",
        bytes: "blkio.throttle.io_service_bytes",
        time: None,
        merged: None,
        queued: None,
    },
];

/// Those that are worth asking in this scrape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidates([bool; FILES.len()]);

impl Candidates {
    /// All of them.
    pub(super) const ALL: Self = Self([true; FILES.len()]);

    /// Those that are not empty in this group, which is the root.
    pub(super) fn of_root(root: &mut Group, layout: &Layout, reader: &mut Reader) -> Result<Self, ReadError> {
        let mut candidates = Self::ALL;
        for (files, candidate) in FILES.iter().zip(&mut candidates.0) {
            // The last is told of the cgroup alone, so the root says nothing of the others; but where throttling counts,
            // the recursive file, which every kernel since 5.2 has, is not empty.
            if let Some(file) = root.read(layout, Controller::Io, files.first, reader)? {
                *candidate = parse::entries(file).next().is_some();
            }
        }
        Ok(candidates)
    }

    /// The files that tell what the group did, and into `entries` what the first of them says; `None` when none does.
    pub(super) fn pick(
        self,
        group: &mut Group,
        layout: &Layout,
        reader: &mut Reader,
        entries: &mut Vec<Entry>,
    ) -> Result<Option<&'static Files>, ReadError> {
        entries.clear();
        for (files, _) in FILES.iter().zip(self.0).filter(|(_, candidate)| *candidate) {
            let Some(file) = group.read(layout, Controller::Io, files.first, reader)? else { continue };
            entries.extend(parse::entries(file));
            if !entries.is_empty() {
                return Ok(Some(files));
            }
            if files.first == THROTTLE {
                // What follows counts the same without the cgroups below.
                return Ok(None);
            }
        }
        Ok(None)
    }
}
