//! Space on mounted file systems, from `statfs(2)` on each mount of process 1 that patterns do not leave out.
//!
//! Where procfs hides process 1 the agent's own mounts are taken; those below `--path.rootfs` lose that prefix. A mount
//! that does not answer in time is marked with `device_error` and costs only its own rows, see [`space`].

mod metrics;
mod mounts;
mod space;

use std::{io, path::PathBuf};

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Bytes};

use self::{
    metrics::{ALL, AVAILABLE, ERROR, FILES, FILES_FREE, FREE, MOUNT, PURGEABLE, READ_ONLY, SIZE},
    mounts::Mount,
    space::{Ask, Asker, NoAnswer, Space},
};
use super::node::Filter;
use crate::{
    config::node::{FILESYSTEM_FS_TYPES_EXCLUDE, FILESYSTEM_MOUNT_POINTS_EXCLUDE},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_filesystem",
    about: "Space on mounted file systems.",
    default_on: true,
    needs: &[Need::File("proc/1/mountinfo"), Need::File("rootfs/")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeFilesystem {
    mount_points: Filter,
    fs_types: Filter,
    asker: Asker,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeFilesystem::new(context, space::statfs)))
}

impl NodeFilesystem {
    fn new(context: &Context, ask: Ask) -> Self {
        let options = &context.config.collector.filesystem;
        Self {
            mount_points: Filter::new(
                &options.mount_points_include,
                &options.mount_points_exclude,
                FILESYSTEM_MOUNT_POINTS_EXCLUDE,
            ),
            fs_types: Filter::new(&options.fs_types_include, &options.fs_types_exclude, FILESYSTEM_FS_TYPES_EXCLUDE),
            asker: Asker::new(ask, options.mount_timeout.0),
        }
    }
}

impl Collector for NodeFilesystem {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, deadline, problems, .. } = scrape;
        let mut mounts = mounts(host, reader)?;
        mounts.retain(|mount| self.fs_types.passes(&mount.fs_type) && self.mount_points.passes(&mount.point));
        let paths: Vec<PathBuf> = mounts.iter().map(|mount| host.rootfs.join(&mount.point)).collect();
        self.asker.keep(|path| paths.iter().any(|mounted| mounted == path));
        let answers = self.asker.spaces(&paths, *deadline);
        for ((mount, path), answer) in mounts.iter().zip(paths).zip(answers) {
            match answer {
                Ok(space) => emit(mount, space, out),
                Err(NoAnswer::Stuck) => emit_error(mount, "mountpoint timeout", out),
                Err(NoAnswer::Refused(error)) => emit_error(mount, &reason(&error), out),
                Err(NoAnswer::NotAsked) => {
                    let source = io::Error::new(io::ErrorKind::TimedOut, "no time or thread left to ask it");
                    problems.push(ReadError { path, source });
                }
            }
        }
        Ok(())
    }
}

/// The mounts of process 1, or else the agent's own.
fn mounts(host: &Host, reader: &mut Reader) -> Result<Vec<Mount>, ReadError> {
    for (file, is_last) in [("1/mountinfo", false), ("self/mountinfo", true)] {
        match reader.read(&host.proc, file) {
            Ok(Some(file)) => return Ok(mounts::mounts(file, host.rootfs.path())),
            Err(error) if is_last => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(Vec::new())
}

fn emit(mount: &Mount, space: Space, out: &mut Batch) {
    let labels = [mount.device.as_str(), &mount.point, &mount.fs_type, ""];
    out.put(&ERROR, labels, false);
    out.put(&READ_ONLY, labels, mount.read_only);
    out.put(&SIZE, labels, Bytes(space.size));
    out.put(&FREE, labels, Bytes(space.free));
    out.put(&AVAILABLE, labels, Bytes(space.available));
    out.put(&FILES, labels, space.files);
    out.put(&FILES_FREE, labels, space.files_free);
    out.put(&MOUNT, [&mount.device, &mount.major, &mount.minor, &mount.point], true);
    out.put(&PURGEABLE, labels, Bytes(0));
}

fn emit_error(mount: &Mount, error: &str, out: &mut Batch) {
    let labels = [mount.device.as_str(), &mount.point, &mount.fs_type, error];
    out.put(&ERROR, labels, true);
    out.put(&READ_ONLY, labels, mount.read_only);
}

/// The kernel's words, in lower case: `permission denied`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{collectors::golden::check_built, config::Config};
    use std::path::Path;

    /// A file system of a hundred blocks, but for one mount that may not be asked and one that hangs.
    fn ask(path: &Path) -> io::Result<Space> {
        if path.ends_with("secret") {
            return Err(rustix::io::Errno::ACCESS.into());
        }
        while path.ends_with("hung") {
            std::thread::park();
        }
        Ok(Space { size: 409_600, free: 204_800, available: 163_840, files: 64, files_free: 13 })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
    fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
        Ok(Box::new(NodeFilesystem::new(context, ask)))
    }

    #[test]
    fn kernel_file_systems_are_left_out_and_a_hung_mount_costs_its_own_rows() {
        let mut config = Config::default();
        config.collector.filesystem.mount_timeout = daemon::Period(std::time::Duration::from_millis(50));
        check_built(&SPEC, build, "node_filesystem/testdata/nfs", View::Node, config);
    }

    #[test]
    fn patterns_choose_mounts() {
        let mut config = Config::default();
        config.collector.filesystem.mount_points_include = "^/(data|proc)".parse().unwrap();
        config.collector.filesystem.fs_types_include = "^(ext4|proc)$".parse().unwrap();
        check_built(&SPEC, build, "node_filesystem/testdata/included", View::Node, config);
    }
}
