//! The pod sandbox image, from containerd's configuration, for bundles that do not name it (containerd before 2.0).

use kernfs::{Host, Reader, text};

use crate::mounts::{self, Root};

/// Default path of containerd's configuration.
const DEFAULT: &str = "etc/containerd/config.toml";

/// The sandbox image that the running containerd is configured with. `None` when there is no containerd, or its
/// configuration does not say.
pub(super) fn image(host: &Host, reader: &mut Reader) -> Option<String> {
    let path = running_config(host, reader).unwrap_or_else(|| DEFAULT.to_owned());
    let config = reader.read(&host.rootfs, &path).ok()??;
    configured(&text::text(config))
}

/// The file that the running containerd was told to read, from its command line.
fn running_config(host: &Host, reader: &mut Reader) -> Option<String> {
    let mut pids = Vec::new();
    let _ = reader.list(&host.proc, "", |name, is_dir| {
        pids.extend(name.parse::<u32>().ok().filter(|_| is_dir));
    });
    for pid in pids {
        let Ok(Some(b"containerd\n")) = reader.read(&host.proc, &format!("{pid}/comm")) else { continue };
        // One in a container has files of its own, which say nothing of the machine's sandboxes.
        if mounts::root_of(host, reader, pid) != Root::Machine {
            continue;
        }
        let Ok(Some(line)) = reader.read(&host.proc, &format!("{pid}/cmdline")) else { continue };
        let line = text::text(line).into_owned();
        let Some(path) = config_argument(line.split('\0')) else { continue };
        if path.starts_with('/') {
            return Some(path);
        }
        let folder = reader.link(&host.proc, &format!("{pid}/cwd"))?;
        return Some(format!("{folder}/{path}"));
    }
    None
}

/// The value of `-c` or `--config`.
fn config_argument<'a>(mut args: impl Iterator<Item = &'a str>) -> Option<String> {
    while let Some(arg) = args.next() {
        if matches!(arg, "-c" | "--config") {
            return args.next().map(str::to_owned);
        }
        let value = arg.strip_prefix("--config=").or_else(|| arg.strip_prefix("-c="));
        if let Some(value) = value {
            return Some(value.to_owned());
        }
    }
    None
}

/// The value of `sandbox_image` (version 2 of the file) or of `sandbox` below `pinned_images` (version 3).
fn configured(toml: &str) -> Option<String> {
    let mut section = "";
    for line in toml.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let named = match key.trim() {
            "sandbox_image" => true,
            "sandbox" => section.contains("pinned_images"),
            _ => false,
        };
        if named {
            let value = value.split('#').next().unwrap_or("").trim();
            let image = value.trim_matches(['"', '\'']);
            return (!image.is_empty()).then(|| image.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_file_name_the_image() {
        let two = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"registry.example/pause:3.9\" # why\n";
        let three = "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = 'registry.example/pause:3.10'\n";
        assert_eq!(configured(two).as_deref(), Some("registry.example/pause:3.9"));
        assert_eq!(configured(three).as_deref(), Some("registry.example/pause:3.10"));
        assert_eq!(configured("version = 2\n[other]\nsandbox = \"x\"\n"), None);
    }

    #[test]
    fn the_configuration_file_is_named_in_either_form() {
        assert_eq!(config_argument(["containerd", "-c", "/a"].into_iter()).as_deref(), Some("/a"));
        assert_eq!(config_argument(["containerd", "--config=/b"].into_iter()).as_deref(), Some("/b"));
        assert_eq!(config_argument(["containerd", "-l", "debug"].into_iter()), None);
    }
}
