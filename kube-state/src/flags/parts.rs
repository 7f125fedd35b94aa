//! Converts flags to the settings of parts that know no flags: log, servers, custom resources.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use daemon::{Limits, LogArgs, LogFormat, Period, WebArgs, WebConfigFile};

use super::table::Flags;
use crate::custom;

impl Flags {
    /// Log verbosity, in upstream's numbers.
    pub fn verbosity(&self) -> u8 {
        self.verbosity
    }

    /// Source of the configuration of custom resources.
    pub fn custom(&self) -> custom::Source {
        let (inline, file) = (&self.custom_resource_state_config, &self.custom_resource_state_config_file);
        let may_be_missing = self.continue_without_custom_resource_state_config_file;
        custom::Source::new(Some(inline), file.as_deref(), may_be_missing)
    }

    /// Level and format of the log.
    pub fn log(&self) -> LogArgs {
        let level = match (self.log_level.as_str(), self.verbosity()) {
            ("", 0..4) => "info",
            ("", 4..8) => "debug",
            ("", _) => "trace",
            (level, _) => level,
        };
        let format = if self.log_format == "json" { LogFormat::Json } else { LogFormat::Logfmt };
        LogArgs { format, level: level.to_owned() }
    }

    /// Server settings of the page of objects.
    pub fn web(&self) -> WebArgs {
        self.web_at(&self.host, self.port)
    }

    /// Server settings of the page about this process.
    pub fn telemetry_web(&self) -> WebArgs {
        self.web_at(&self.telemetry_host, self.telemetry_port)
    }

    fn web_at(&self, host: &str, port: u16) -> WebArgs {
        let config = WebConfigFile { file: self.tls_config.clone() };
        // As many as ask are answered: a page is a copy of what is there already.
        WebArgs { listen_address: vec![address(host, port)], config, max_requests: 256, ..WebArgs::default() }
    }

    /// Times of the server of objects.
    pub fn limits(&self) -> Limits {
        Limits {
            headers: limit(self.server_read_header_timeout),
            idle: limit(self.server_idle_timeout),
            write: limit(self.server_write_timeout),
            ..Limits::default()
        }
    }
}

/// A time of zero is none, as Go's servers have it.
fn limit(time: Duration) -> Duration {
    if time.is_zero() { Period::LONGEST.0 } else { time.min(Period::LONGEST.0) }
}

/// The address that a host and a port mean. A host may be a name, of whose addresses one of IPv4 goes first; what has no
/// address stays as it is written, and is refused when it is to be listened at.
fn address(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        // All addresses of IPv6 are those of IPv4 too, where there is no IPv6.
        Ok(address) if address == IpAddr::from(Ipv6Addr::UNSPECIFIED) => format!(":{port}"),
        Ok(address) => SocketAddr::new(address, port).to_string(),
        Err(_) if host.is_empty() => format!(":{port}"),
        Err(_) => {
            let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs().into_iter().flatten().collect();
            found.sort_unstable();
            found.first().map_or_else(|| format!("{host}:{port}"), ToString::to_string)
        }
    }
}
