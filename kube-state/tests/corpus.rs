//! The committed corpus of the fuzz targets, through the same functions.

/// The fuzz targets, which are a workspace of their own.
mod targets {
    #![allow(unreachable_pub, reason = "there it is a library")]
    include!("../../fuzz/src/objects.rs");
}

use std::{fs, path::Path};

#[test]
fn what_was_found_once_is_not_found_again() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for (name, target) in targets::TARGETS {
        let inputs: Vec<_> =
            fs::read_dir(fuzz.join("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() >= 5, "{name} has {} inputs", inputs.len());
        for input in &inputs {
            target(&fs::read(input).unwrap());
        }
        assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).exists(), "{name} has a program");
    }
}
