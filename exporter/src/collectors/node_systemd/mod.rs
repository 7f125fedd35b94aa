//! Units of systemd, as its manager tells over D-Bus (`org.freedesktop.systemd1(5)`): states, restarts, timers,
//! sockets, tasks.
//!
//! Off by default, as with `node_exporter`: each scrape costs the manager a call for most units. One call is under way
//! at a time, and each may take five seconds; the connection is kept, and made anew after a failure.

mod manager;
mod metrics;

use std::io;

use kernfs::ReadError;
use metric::{Batch, Micros, Timestamp};
use regex::Regex;

use self::{
    manager::{Bus, Unit},
    metrics::{
        ACCEPTED, ALL, CONNECTIONS, REFUSED, RESTARTS, RUNNING, STARTED, STATE, STATES, TASKS, TASKS_MOST, TRIGGERED,
        UNITS, VERSION, VIRTUALIZATION,
    },
};
use super::node::Filter;
use crate::{
    config::node,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_systemd",
    about: "Units of systemd: states, restarts, timers, sockets.",
    default_on: false,
    needs: &[Need::File("rootfs/run/dbus/system_bus_socket")],
    shows: &[(View::Node, ALL)],
    build,
};

struct NodeSystemd {
    bus: Bus,
    filter: Filter,
    options: node::Systemd,
    digits: Regex,
}

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = context.config.collector.systemd.clone();
    let socket = if options.private { "run/systemd/private" } else { "run/dbus/system_bus_socket" };
    let socket = context.host.rootfs.join(socket);
    if !socket.exists() {
        return Err(Unavailable(format!("no socket at {}", socket.display())));
    }
    let whole = |pattern: &node::Pattern| format!("^(?:{pattern})$").parse().map_err(Unavailable);
    let filter = Filter::new(&whole(&options.unit_include)?, &whole(&options.unit_exclude)?, "");
    let digits = Regex::new(r"[0-9]{3,}(\.[0-9]+)?").map_err(|error| Unavailable(error.to_string()))?;
    Ok(Box::new(NodeSystemd { bus: Bus::at(socket, options.private), filter, options, digits }))
}

impl Collector for NodeSystemd {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        self.show(scrape.out).map_err(|error| {
            self.bus.forget();
            ReadError { path: self.bus.socket().to_owned(), source: io::Error::other(error) }
        })
    }
}

impl NodeSystemd {
    fn show(&mut self, out: &mut Batch) -> zbus::Result<()> {
        let version: String = self.bus.of_manager("Version")?;
        let number = self.digits.find(&version).and_then(|digits| digits.as_str().parse::<f64>().ok());
        out.put(&VERSION, [&version], number.unwrap_or(0.0));
        let machine: String = self.bus.of_manager("Virtualization")?;
        out.put(&VIRTUALIZATION, [if machine.is_empty() { "none" } else { &machine }], true);
        let units = self.bus.units()?;
        for state in STATES {
            out.put(&UNITS, [state], units.iter().filter(|unit| unit.state == state).count() as u64);
        }
        for unit in &units {
            if unit.loaded && self.filter.passes(&unit.name) {
                self.show_unit(unit, out)?;
            }
        }
        let state: String = self.bus.of_manager("SystemState")?;
        out.put(&RUNNING, [], state == "running");
        Ok(())
    }

    fn show_unit(&mut self, unit: &Unit, out: &mut Batch) -> zbus::Result<()> {
        let Self { bus, options, .. } = self;
        let name = unit.name.as_str();
        let kind = match unit.suffix() {
            "service" => bus.of::<String>(unit, "Service", "Type")?.unwrap_or_default(),
            "mount" => bus.of::<String>(unit, "Mount", "Type")?.unwrap_or_default(),
            _ => String::new(),
        };
        for state in STATES {
            out.put(&STATE, [name, state, &kind], state == unit.state);
        }
        if options.enable_start_time_metrics {
            let started = if unit.state == "active" { bus.of(unit, "Unit", "ActiveEnterTimestamp")? } else { Some(0) };
            if let Some(time) = started {
                out.put(&STARTED, [name], moment(time));
            }
        }
        match unit.suffix() {
            "service" => {
                if options.enable_restarts_metrics {
                    let restarts: Option<u32> = bus.of(unit, "Service", "NRestarts")?;
                    if let Some(count) = restarts {
                        out.put(&RESTARTS, [name], count);
                    }
                }
                if options.enable_task_metrics {
                    for (family, property) in [(&TASKS, "TasksCurrent"), (&TASKS_MOST, "TasksMax")] {
                        let count: Option<u64> = bus.of(unit, "Service", property)?;
                        if let Some(count) = count.filter(|count| *count < u64::MAX) {
                            out.put(family, [name], count);
                        }
                    }
                }
            }
            "timer" => {
                let last: Option<u64> = bus.of(unit, "Timer", "LastTriggerUSec")?;
                if let Some(time) = last {
                    out.put(&TRIGGERED, [name], moment(time));
                }
            }
            "socket" => {
                for (family, property) in
                    [(&ACCEPTED, "NAccepted"), (&CONNECTIONS, "NConnections"), (&REFUSED, "NRefused")]
                {
                    let count: Option<u32> = bus.of(unit, "Socket", property)?;
                    if let Some(count) = count {
                        out.put(family, [name], count);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Microseconds since the Unix epoch.
fn moment(time: u64) -> Timestamp {
    Timestamp(metric::Seconds::from(Micros(time)).0)
}

#[cfg(test)]
mod tests;
