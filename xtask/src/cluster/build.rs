//! Links the programs of the cluster from their Go modules, once per version.

use std::path::PathBuf;

use anyhow::Result;

use crate::go::Source;

const SOURCE: Source = Source { folder: "e2e/cluster", name: "kube" };

/// The linked binary; built when the cache does not have the one of this source.
pub(crate) fn binary() -> Result<PathBuf> {
    SOURCE.binary(&linker_flags(&SOURCE.version_of("k8s.io/kubernetes")?))
}

/// Whether [`binary`] has nothing to do.
pub(crate) fn is_cached() -> bool {
    SOURCE.cached().is_ok_and(|binary| binary.exists())
}

/// The programs ask their own build for the version of the API that they speak.
fn linker_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let set = |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    format!("-s -w {} {} {}", set("gitVersion", version), set("gitMajor", major), set("gitMinor", minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_api_is_that_of_kubernetes() {
        assert!(linker_flags("v1.36.3").ends_with("gitMinor=36"));
    }
}
