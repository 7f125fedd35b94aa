//! The committed corpus of the fuzz targets, through the same functions.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

/// The fuzz targets, which are a workspace of their own.
mod targets {
    #![allow(unreachable_pub, reason = "there it is a library")]
    #![allow(missing_docs, reason = "there it is a library")]
    include!("../../fuzz/src/targets.rs");
}

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

/// The engine catches panics of collectors, so they are counted where they start.
static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn what_was_found_once_is_not_found_again() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, SeqCst);
        usual(info);
    }));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let mut inputs: Vec<_> = fs::read_dir(corpus.join(name))
            .unwrap_or_else(|error| panic!("no corpus of {name}: {error}"))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        inputs.sort();
        assert!(inputs.len() >= 5, "{name} has {} inputs", inputs.len());
        for input in &inputs {
            target(&fs::read(input).expect("an input"));
            assert_eq!(PANICS.load(SeqCst), 0, "{}", input.display());
        }
        println!("{name}: {} inputs", inputs.len());
    }
    for (name, _) in targets::TARGETS {
        assert!(corpus.join(format!("../fuzz_targets/{name}.rs")).exists(), "{name} has a program");
    }
}
