//! The kernel's BTF, to which every object is relocated. Parsed it takes some 30 MB, so it is parsed once for all
//! objects loaded in a row and then freed.

use std::sync::Arc;

use aya::{Btf, Endianness};
use kernfs::Host;
use parking_lot::Mutex;

use super::{call, code};
use crate::spec::Unavailable;

static KEPT: Mutex<Kept> = Mutex::new(Kept { keepers: 0, types: None });

struct Kept {
    keepers: usize,
    types: Option<Arc<Btf>>,
}

/// While one of these is there, types that were parsed once are kept for the next object.
#[derive(Debug)]
pub struct Loading(());

impl Loading {
    /// Objects are going to be loaded.
    #[must_use]
    pub fn begin() -> Self {
        KEPT.lock().keepers += 1;
        Self(())
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let mut kept = KEPT.lock();
        kept.keepers -= 1;
        if kept.keepers > 0 {
            return;
        }
        if kept.types.take().is_some() {
            call::give_memory_back();
        }
        code::give_back();
    }
}

pub(super) fn of(host: &Host) -> Result<Arc<Btf>, Unavailable> {
    let mut kept = KEPT.lock();
    if let Some(types) = &kept.types {
        return Ok(Arc::clone(types));
    }
    let types = Btf::parse_file(host.sys.join("kernel/btf/vmlinux"), Endianness::default())
        .map_err(|error| Unavailable(format!("cannot read the kernel's types: {error}")))?;
    let types = Arc::new(types);
    if kept.keepers > 0 {
        kept.types = Some(Arc::clone(&types));
    }
    Ok(types)
}
