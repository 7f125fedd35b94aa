#![forbid(unsafe_code)]
//! The frame of a long-running program: command line and configuration, logs, HTTP with TLS and
//! authentication, landing page, health, reload, drain, and metrics about itself.
//!
//! ```no_run
//! use std::io::{self, Write};
//! use daemon::{Changes, Cli, Loaded, LogArgs, Page, Program, ScrapeRequest, Server, Telemetry, WebArgs, Written};
//!
//! static PROGRAM: Program =
//!     Program { name: "answer", prefix: "answer", about: "Serves the answer.", version: "1.0.0", revision: None };
//!
//! #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Settings {
//!     web: WebArgs,
//!     log: LogArgs,
//! }
//!
//! struct Answer;
//!
//! impl Page for Answer {
//!     fn write(&self, _: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
//!         out.write_all(b"answer 42\n")?;
//!         Ok(Written { series: 1 })
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let loaded = Cli::<Settings>::new(&PROGRAM).check(|settings| settings.web.check()).parse();
//!     PROGRAM.ended(serve(loaded))
//! }
//!
//! fn serve(loaded: Loaded<Settings>) -> anyhow::Result<()> {
//!     daemon::logs::start(&loaded.config.log)?;
//!     let source = loaded.source().clone();
//!     Server::new(&PROGRAM, loaded.config.web, Telemetry::new(&PROGRAM))
//!         .page("/metrics", "Metrics", "The answer.", Answer)
//!         .reload(move || source.load().map(|_| Changes::default()).map_err(Into::into))
//!         .run()
//! }
//! ```

mod accept;
mod allowed;
mod args;
mod bound;
mod chain;
mod changes;
mod cli;
mod connection;
mod connections;
#[doc(hidden)]
pub mod foreign;
mod frame;
mod handler;
mod invalid;
mod landing;
mod lifecycle;
mod limits;
mod listen;
pub mod logs;
mod outage;
mod page;
pub mod panics;
mod period;
mod pool;
mod process;
mod program;
mod reference;
mod reload;
mod route;
mod schema;
mod server;
mod shared;
mod sheet;
mod stream;
mod suggest;
pub mod task;
mod telemetry;
mod troubles;
mod web;
mod yaml;

pub use args::{WebArgs, WebConfigFile, WebLinks};
pub use bound::Bound;
pub use chain::chain;
pub use changes::Changes;
pub use cli::{Cli, CliError, Loaded, Settings, Source, print};
pub use frame::Link;
pub use handler::{Answer, Method, Request, Stream};
pub use invalid::Invalid;
pub use landing::{Endpoint, Fact, Feature, Landing, landing_page};
pub use limits::Limits;
pub use logs::{LogArgs, LogFormat};
pub use outage::Outage;
pub use page::{Page, Reply, ScrapeRequest, Written};
pub use period::{NoPeriod, Period};
pub use process::ProcessUsage;
pub use program::Program;
pub use reference::{options_reference, options_schema};
pub use server::Server;
pub use sheet::{Line, Sheet, sheet_page};
pub use stream::BodyWriter;
pub use suggest::suggested;
pub use telemetry::{Telemetry, TelemetryError};
pub use tokio_util::sync::CancellationToken;
pub use troubles::Troubles;
pub use yaml::{ConfigError, load_yaml, parse_yaml};
