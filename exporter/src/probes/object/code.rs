//! Returns the agent's code pages to the kernel. Most code is needed once, at the start (configuration, BTF, loading
//! programs); a scrape needs a quarter of it.

use std::{fs, io::BufReader, path::Path};

use procfs_core::{
    FromBufRead as _,
    process::{MMPermissions, MMapPath, MemoryMap, MemoryMaps},
};

use super::call;

/// Has the kernel take all of it out of this process. It stays in the page cache, and what is needed comes back at the
/// first touch; the rest is the kernel's to drop when memory is short.
pub(super) fn give_back() {
    let Ok(own) = fs::read_link("/proc/self/exe") else { return };
    let Some(maps) =
        fs::File::open("/proc/self/maps").ok().and_then(|file| MemoryMaps::from_buf_read(BufReader::new(file)).ok())
    else {
        return;
    };
    for mapping in maps.iter().filter(|mapping| is_unwritten(mapping, &own)) {
        call::unmap_unwritten(mapping);
    }
}

/// Code, and the constants at the file's beginning. Other parts that may not be written to were: by the linker, before
/// it closed them.
fn is_unwritten(mapping: &MemoryMap, own: &Path) -> bool {
    let is_own = matches!(&mapping.pathname, MMapPath::Path(path) if path == own);
    let of = mapping.perms & (MMPermissions::READ | MMPermissions::WRITE | MMPermissions::EXECUTE);
    let is_code = of == MMPermissions::READ | MMPermissions::EXECUTE;
    is_own && (is_code || (of == MMPermissions::READ && mapping.offset == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_constants_are_unwritten_and_nothing_else_is() {
        let text = "\
            55d0a0000000-55d0a0300000 r--p 00000000 fe:00 77 /usr/bin/agent\n\
            55d0a0300000-55d0a1500000 r-xp 00300000 fe:00 77 /usr/bin/agent\n\
            55d0a1500000-55d0a15a8000 r--p 01500000 fe:00 77 /usr/bin/agent\n\
            55d0a15a8000-55d0a15a9000 rw-p 015a8000 fe:00 77 /usr/bin/agent\n\
            55d0a2000000-55d0a2200000 rw-p 00000000 00:00 0 [heap]\n\
            7f0000000000-7f0000100000 r-xp 00000000 fe:00 78 /usr/lib/libc.so.6\n";
        let maps = MemoryMaps::from_buf_read(text.as_bytes()).unwrap();
        let own = Path::new("/usr/bin/agent");
        let unwritten: Vec<_> = maps.iter().map(|mapping| is_unwritten(mapping, own)).collect();
        assert_eq!(unwritten, [true, true, false, false, false, false]);
    }

    #[test]
    fn the_agent_works_on_without_its_code() {
        give_back();
        assert_eq!("constant".repeat(2), "constantconstant");
    }
}
