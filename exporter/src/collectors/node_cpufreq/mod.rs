//! Frequency of each CPU, now and within which bounds, from `/sys/devices/system/cpu/cpu*/cpufreq`
//! (admin-guide/pm/cpufreq.rst). Frequencies there are in kilohertz. Most virtual machines have none.

mod metrics;

use kernfs::ReadError;
use metric::Hertz;

use self::metrics::{ALL, FREQUENCIES, GOVERNOR};
use super::node::{attribute_number, attribute_text, numbered};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_cpufreq",
    about: "Frequency of each CPU, now and within which bounds.",
    default_on: true,
    needs: &[Need::File("sys/devices/system/cpu/cpu0/cpufreq")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeCpufreq;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeCpufreq))
}

impl Collector for NodeCpufreq {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let cpus = numbered(reader, &host.sys, "devices/system/cpu", "cpu")?;
        if cpus.is_empty() {
            scrape.nothing_there();
            return Ok(());
        }
        for folder in cpus {
            let cpu = folder.trim_start_matches("cpu");
            let folder = format!("devices/system/cpu/{folder}/cpufreq");
            if !reader.exists(&host.sys, &folder) {
                continue;
            }
            for (file, family) in &FREQUENCIES {
                if let Some(kilohertz) = attribute_number(reader, &host.sys, &format!("{folder}/{file}")) {
                    out.put(family, [cpu], Hertz(kilohertz as f64 * 1000.0));
                }
            }
            let governor = attribute_text(reader, &host.sys, &format!("{folder}/scaling_governor"));
            if governor.is_empty() {
                continue;
            }
            let available = attribute_text(reader, &host.sys, &format!("{folder}/scaling_available_governors"));
            for other in available.split_ascii_whitespace() {
                out.put(&GOVERNOR, [cpu, other], other == governor);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn frequencies_are_in_hertz_and_one_governor_is_in_charge() {
        check(&SPEC, "node_cpufreq/testdata/kernel-docs", View::Node);
    }
}
