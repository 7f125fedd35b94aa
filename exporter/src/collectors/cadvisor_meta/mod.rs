//! cAdvisor's families about itself: versions, and whether a scrape failed.
//!
//! Source: `/proc/sys/kernel/osrelease` and `/etc/os-release`, once: neither changes while the program runs. The
//! labels named after cAdvisor tell this program's version, so that nobody takes it for cAdvisor; Docker's is empty, as
//! in a kubelet.
//!
//! A scrape of containers failed when the tree has none, not even the machine's own row; one of the machine when its
//! memory cannot be read. Failures that cost some rows only are counted by collector in our own view.

mod metrics;

use kernfs::{Host, ReadError, Reader, text};

use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "cadvisor_meta",
    about: "Versions of the machine's kernel and system, and whether a scrape of cAdvisor's families failed.",
    default_on: true,
    needs: &[Need::File("proc/sys/kernel/osrelease"), Need::File("rootfs/etc/os-release")],
    shows: &[(View::Cadvisor, metrics::ALL)],
    build,
};

#[derive(Debug)]
struct CadvisorMeta {
    kernel: String,
    system: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let mut reader = Reader::default();
    let kernel = match reader.read(&context.host.proc, "sys/kernel/osrelease") {
        Ok(Some(file)) => text::text(file.trim_ascii()).into_owned(),
        _ => String::new(),
    };
    Ok(Box::new(CadvisorMeta { kernel, system: system(&context.host, &mut reader) }))
}

/// What the system calls itself.
fn system(host: &Host, reader: &mut Reader) -> String {
    for name in ["etc/os-release", "usr/lib/os-release"] {
        if let Ok(Some(file)) = reader.read(&host.rootfs, name)
            && let Some(name) = pretty_name(file)
        {
            return name;
        }
    }
    "Linux".into()
}

/// `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"`.
fn pretty_name(os_release: &[u8]) -> Option<String> {
    let line = text::lines(os_release).find_map(|line| line.strip_prefix(b"PRETTY_NAME="))?;
    Some(text::text(line).trim().trim_matches(['"', '\'']).to_owned())
}

impl Collector for CadvisorMeta {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, tree, .. } = scrape;
        let version = env!("CARGO_PKG_VERSION");
        out.put(&metrics::VERSION, ["", version, "", &self.kernel, &self.system], 1_u8);
        out.put(&metrics::CONTAINER_ERROR, [], tree.groups().next().is_none());
        let memory = reader.read(&host.proc, "meminfo");
        out.put(&metrics::MACHINE_ERROR, [], !matches!(memory, Ok(Some(_))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn versions_come_from_the_machine() {
        check(&SPEC, "cadvisor_meta/testdata/debian", View::Cadvisor);
    }

    #[test]
    fn a_name_may_stand_in_quotes_or_not() {
        assert_eq!(pretty_name(b"NAME=x\nPRETTY_NAME=\"A 1\"\n").as_deref(), Some("A 1"));
        assert_eq!(pretty_name(b"PRETTY_NAME=A\n").as_deref(), Some("A"));
        assert_eq!(pretty_name(b"NAME=x\n"), None);
    }
}
