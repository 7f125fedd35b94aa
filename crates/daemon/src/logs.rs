//! Logs: one line per event on stderr, logfmt or JSON.

use std::{
    fmt,
    io::{IsTerminal as _, Write as _},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer, time::FormatTime},
    registry::LookupSpan,
};

use crate::{chain::chain, invalid::Invalid, task};

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `ts=… level=info target=… msg="…" key=value`
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// Logs: level and format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogArgs {
    /// Format of log lines.
    pub format: LogFormat,
    /// Minimum level: error, warn, info, debug, trace; or directives like `info,daemon=debug`.
    #[schemars(extend("x-env" = "YAGURA_LOG"))]
    pub level: String,
}

impl Default for LogArgs {
    fn default() -> Self {
        Self { format: LogFormat::Logfmt, level: "info".to_owned() }
    }
}

impl LogArgs {
    /// Checks the level.
    pub fn check(&self) -> Result<(), Invalid> {
        filter(&self.level).map(drop).map_err(|what| Invalid::new("log.level", what))
    }
}

/// Starts logging to stderr, of panics too. The second call in a process does nothing.
pub fn start(args: &LogArgs) -> Result<(), Invalid> {
    let filter = filter(&args.level).map_err(|what| Invalid::new("log.level", what))?;
    // A line that cannot be written is lost. The library would say so on stderr, and panic, for that is what failed.
    let builder =
        tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter).with_writer(std::io::stderr);
    let started = match args.format {
        LogFormat::Json => {
            let json = builder.json().flatten_event(true).with_current_span(false).with_timer(Rfc3339);
            json.try_init()
        }
        LogFormat::Logfmt => {
            let colours = std::io::stderr().is_terminal();
            builder.fmt_fields(LogfmtFields).event_format(Logfmt { colours }).try_init()
        }
    };
    if started.is_err() {
        drop(writeln!(std::io::stderr(), "logging was started before"));
    } else {
        task::note_panics();
    }
    Ok(())
}

/// The filter that a level, or a list of directives, means. Libraries below us are quiet unless they are named.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    let libraries = "h2=warn,hyper=warn,hyper_util=warn,kube_client=warn,rustls=warn,tokio_util=warn";
    let known = ["error", "warn", "info", "debug", "trace", "off"];
    if !level.contains(['=', ',']) && !known.contains(&level.to_ascii_lowercase().as_str()) {
        return Err(format!("`{level}` is no level; levels are {}", known.join(", ")));
    }
    EnvFilter::try_new(format!("{libraries},{level}")).map_err(|error| error.to_string())
}

struct Rfc3339;

impl FormatTime for Rfc3339 {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", jiff::Timestamp::now())
    }
}

struct Logfmt {
    colours: bool,
}

impl Logfmt {
    fn level(&self, level: Level) -> (&'static str, &'static str, &'static str) {
        let (name, colour) = match level {
            Level::ERROR => ("error", "\x1b[31m"),
            Level::WARN => ("warn", "\x1b[33m"),
            Level::INFO => ("info", "\x1b[32m"),
            Level::DEBUG => ("debug", "\x1b[36m"),
            Level::TRACE => ("trace", "\x1b[2m"),
        };
        if self.colours { (colour, name, "\x1b[0m") } else { ("", name, "") }
    }
}

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (on, level, off) = self.level(*event.metadata().level());
        writer.write_str("ts=")?;
        Rfc3339.format_time(&mut writer)?;
        write!(writer, " {on}level={level}{off} target={}", event.metadata().target())?;
        LogfmtFields.format_fields(writer.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>() {
                writer.write_str(&fields.fields)?;
            }
        }
        writer.write_char('\n')
    }
}

/// Writes ` key=value` for each field.
struct LogfmtFields;

impl<'writer> FormatFields<'writer> for LogfmtFields {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(
        &self,
        writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut visitor = Fields { writer, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Fields<'writer> {
    writer: Writer<'writer>,
    result: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: &str) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        let bare = !value.is_empty() && value.bytes().all(|b| b > b' ' && b != b'"' && b != b'=' && b != 0x7f);
        let written =
            if bare { write!(self.writer, " {name}={value}") } else { write!(self.writer, " {name}={value:?}") };
        self.result = self.result.and(written);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, &chain(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_time_level_target_message_and_fields() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(LogfmtFields)
            .event_format(Logfmt { colours: false })
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(path = "/a b", count = 3, empty = "", line = "a\nb", "cannot read");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let (stamp, rest) = text.split_once(' ').unwrap();
        assert!(
            stamp.starts_with("ts=20") && stamp.ends_with('Z') && stamp.len() == "ts=2026-01-01T00:00:00.000Z".len(),
            "{stamp}"
        );
        let expected = "level=warn target=daemon::logs::tests msg=\"cannot read\" path=\"/a b\" count=3 empty=\"\" line=\"a\\nb\"\n";
        assert_eq!(rest, expected);
    }

    #[test]
    fn levels_and_directives_are_checked() {
        for good in ["info", "WARN", "info,daemon=debug", "off"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "loud", "daemon=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
