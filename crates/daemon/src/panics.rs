//! Panics in the log: one line each, with the place in the code and without the paths of the machine that built it.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    borrow::Cow,
    cell::{Cell, RefCell},
    fmt,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::LazyLock,
};

use prometheus_client::metrics::counter::Counter;

/// Panics of this process, wherever they were caught.
pub(crate) static PANICS: LazyLock<Counter> = LazyLock::new(Counter::default);

thread_local! {
    /// How many [`guarded`] calls this thread is in.
    static GUARDS: Cell<usize> = const { Cell::new(0) };
    /// The last panic of this thread that was caught by one.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught: what it said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic(String);

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic: {}", self.0)
    }
}

impl std::error::Error for Panic {}

/// Does the work, and catches its panic. Who gets the panic says it; nothing else does.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    GUARDS.set(GUARDS.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDS.set(GUARDS.get() - 1);
    result.map_err(|payload| Panic(CAUGHT.take().unwrap_or_else(|| message(&*payload))))
}

/// Has panics counted, and every other one said in the log, from now on.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANICS.inc();
        let said = said(info);
        if GUARDS.get() > 0 {
            CAUGHT.set(Some(said));
            return;
        }
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(
            thread,
            backtrace,
            panic = said,
            "this is a bug of the program: a thread panicked and its work has ended; please report it"
        );
    }));
}

fn said(info: &PanicHookInfo<'_>) -> String {
    let message = message(info.payload());
    match info.location() {
        Some(place) => format!("{message} at {}:{}", without_build_paths(place.file()), place.line()),
        None => message,
    }
}

pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    without_build_paths(text.unwrap_or("without a message")).into_owned()
}

/// Folders below which the sources of dependencies lie where they are built, with the number of folders that follow.
const BUILD_FOLDERS: [(&str, usize); 3] = [("/registry/src/", 1), ("/git/checkouts/", 2), ("/rustc/", 1)];

/// The text with paths into dependencies cut to `crate-1.2.3/src/lib.rs`.
pub(crate) fn without_build_paths(text: &str) -> Cow<'_, str> {
    let Some((at, folder, below)) =
        BUILD_FOLDERS.iter().find_map(|(folder, below)| Some((text.find(folder)?, *folder, *below)))
    else {
        return text.into();
    };
    let (before, rest) = text.split_at(at);
    let begin = before.rfind(|c: char| c.is_whitespace() || "\"'(`".contains(c)).map_or(0, |space| space + 1);
    let rest = rest.get(folder.len()..).unwrap_or_default();
    let tail = rest.splitn(below + 1, '/').last().unwrap_or(rest);
    let cut = format!("{}{tail}", before.get(..begin).unwrap_or_default());
    without_build_paths(&cut).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_the_machine_that_built_it_is_said() {
        for (text, expected) in [
            ("plain /var/lib/x", "plain /var/lib/x"),
            (
                "bug at /home/a/.cargo/registry/src/index.crates.io-19/procfs-core-0.18.0/src/meminfo.rs:5 (report)",
                "bug at procfs-core-0.18.0/src/meminfo.rs:5 (report)",
            ),
            ("/rustc/0123/library/core/src/option.rs", "library/core/src/option.rs"),
            ("a (/b/git/checkouts/c-1/2f/src/d.rs) /rustc/1/library/e.rs", "a (src/d.rs) library/e.rs"),
        ] {
            assert_eq!(without_build_paths(text), expected);
        }
    }

    #[test]
    fn a_caught_panic_is_an_error_with_its_text() {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let caught = guarded(|| -> u8 { panic!("on purpose: {}", 7) });
        std::panic::set_hook(usual);
        assert_eq!(caught.unwrap_err().to_string(), "panic: on purpose: 7");
        assert_eq!(guarded(|| 7), Ok(7));
    }
}
