#![forbid(unsafe_code)]
//! The node agent's program. See the library for what it does.

fn main() -> anyhow::Result<()> {
    let loaded = yagura_exporter::cli::parse();
    daemon::logs::start(&loaded.config.log)?;
    yagura_exporter::app::serve(&loaded)
}
