//! Changes of a configuration that was read again: which options have another value, and which of them wait for a restart.

/// Options that have another value than the running program, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that took effect.
    pub effective: Vec<String>,
    /// Those that take effect after a restart.
    pub after_restart: Vec<String>,
}

impl Changes {
    /// Says them in the log.
    pub fn say(&self) {
        let Self { effective, after_restart } = self;
        if !effective.is_empty() {
            tracing::info!(changed = effective.join(","), "configuration reloaded");
        } else if after_restart.is_empty() {
            tracing::info!("configuration reloaded; no option changed");
        }
        if !after_restart.is_empty() {
            tracing::warn!(
                changed = after_restart.join(","),
                "configuration reloaded, but these options changed and take effect only after a restart"
            );
        }
    }

    /// The same for who asked over HTTP.
    pub(crate) fn in_words(&self) -> String {
        let line = |what: &str, keys: &[String]| {
            if keys.is_empty() { String::new() } else { format!("{what}: {}\n", keys.join(", ")) }
        };
        let lines = line("changed", &self.effective) + &line("needs a restart", &self.after_restart);
        if lines.is_empty() { "reloaded; no option changed\n".to_owned() } else { format!("reloaded\n{lines}") }
    }
}
