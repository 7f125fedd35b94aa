//! Batteries, mains and USB supplies, from `/sys/class/power_supply` (ABI/testing/sysfs-class-power): an attribute a
//! file, in millionths of volts, amperes and watts, and in tenths of a degree. What a driver does not know has no file,
//! or one that gives an error.

mod metrics;

use kernfs::ReadError;

use self::metrics::{ALL, ATTRIBUTES, INFO, WORDS};
use super::node::{attribute, attribute_text, folder, integer};
use crate::{
    config::node::Pattern,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_powersupplyclass",
    about: "Batteries and power supplies.",
    default_on: true,
    needs: &[Need::File("sys/class/power_supply")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/power_supply";

#[derive(Debug)]
struct NodePowersupplyclass {
    ignored: Pattern,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodePowersupplyclass { ignored: context.config.collector.powersupply.ignored_supplies.clone() }))
}

impl Collector for NodePowersupplyclass {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(all) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for supply in all {
            if !self.ignored.is_empty() && self.ignored.matches(&supply) {
                continue;
            }
            for known in &ATTRIBUTES {
                let value = attribute(reader, &host.sys, &format!("{FOLDER}/{supply}/{}", known.file));
                if let Some(number) = value.and_then(integer) {
                    out.put(&known.family, [&supply], known.scale.apply(number));
                }
            }
            let words = WORDS.map(|file| attribute_text(reader, &host.sys, &format!("{FOLDER}/{supply}/{file}")));
            let mut labels = [supply.as_str(); 1 + WORDS.len()];
            for (label, word) in labels.iter_mut().skip(1).zip(&words) {
                *label = word;
            }
            out.put(&INFO, labels, true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };

    #[test]
    fn a_battery_and_the_mains() {
        check(&SPEC, "node_powersupplyclass/testdata/kernel-docs", View::Node);
    }

    #[test]
    fn supplies_that_are_ignored() {
        let mut config = Config::default();
        config.collector.powersupply.ignored_supplies = "^BAT".parse().unwrap();
        check_with(&SPEC, "node_powersupplyclass/testdata/ignored", View::Node, config);
    }
}
