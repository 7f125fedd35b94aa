//! Families of `node_meminfo`.

use metric::{Bytes, Count, Desc, Family};

use crate::collectors::node::gauge;

/// A family, and the name that its value has in the file.
#[derive(Debug)]
pub(super) struct Field<U: 'static> {
    pub(super) family: Family<U, 0>,
    pub(super) key: &'static [u8],
}

const fn bytes(name: &'static str, help: &'static str, key: &'static [u8]) -> Field<Bytes> {
    Field { family: gauge(name, help, &[]), key }
}

const fn pages(name: &'static str, help: &'static str, key: &'static [u8]) -> Field<Count> {
    Field { family: gauge(name, help, &[]), key }
}

pub(super) static BYTES: [Field<Bytes>; 47] = [
    bytes("node_memory_Active_bytes", "Memory used lately; it is reclaimed last.", b"Active"),
    bytes("node_memory_Active_anon_bytes", "Anonymous memory used lately.", b"Active(anon)"),
    bytes("node_memory_Active_file_bytes", "Page cache used lately.", b"Active(file)"),
    bytes("node_memory_AnonHugePages_bytes", "Anonymous memory in huge pages.", b"AnonHugePages"),
    bytes("node_memory_AnonPages_bytes", "Memory of processes that no file stands behind.", b"AnonPages"),
    bytes("node_memory_Bounce_bytes", "Memory of bounce buffers of block devices.", b"Bounce"),
    bytes("node_memory_Buffers_bytes", "Page cache of block devices themselves.", b"Buffers"),
    bytes("node_memory_Cached_bytes", "Page cache of files.", b"Cached"),
    bytes("node_memory_CmaFree_bytes", "Memory kept for contiguous allocations that is free.", b"CmaFree"),
    bytes("node_memory_CmaTotal_bytes", "Memory kept for contiguous allocations.", b"CmaTotal"),
    bytes(
        "node_memory_CommitLimit_bytes",
        "Most memory that may be promised to processes under strict overcommit.",
        b"CommitLimit",
    ),
    bytes("node_memory_Committed_AS_bytes", "Memory promised to processes, used or not.", b"Committed_AS"),
    bytes("node_memory_DirectMap1G_bytes", "Memory that the kernel maps in pages of 1 GiB.", b"DirectMap1G"),
    bytes("node_memory_DirectMap2M_bytes", "Memory that the kernel maps in pages of 2 MiB.", b"DirectMap2M"),
    bytes("node_memory_DirectMap4k_bytes", "Memory that the kernel maps in pages of 4 KiB.", b"DirectMap4k"),
    bytes("node_memory_Dirty_bytes", "Memory that waits to be written to disk.", b"Dirty"),
    bytes("node_memory_HardwareCorrupted_bytes", "Memory that the kernel found broken.", b"HardwareCorrupted"),
    bytes("node_memory_Hugepagesize_bytes", "Size of a huge page of the default size.", b"Hugepagesize"),
    bytes("node_memory_Inactive_bytes", "Memory not used lately; it is reclaimed first.", b"Inactive"),
    bytes("node_memory_Inactive_anon_bytes", "Anonymous memory not used lately.", b"Inactive(anon)"),
    bytes("node_memory_Inactive_file_bytes", "Page cache not used lately.", b"Inactive(file)"),
    bytes("node_memory_KernelStack_bytes", "Memory of kernel stacks of tasks.", b"KernelStack"),
    bytes("node_memory_Mapped_bytes", "Memory of files that processes have mapped.", b"Mapped"),
    bytes(
        "node_memory_MemAvailable_bytes",
        "Memory that can be had without swapping, by the kernel's estimate.",
        b"MemAvailable",
    ),
    bytes("node_memory_MemFree_bytes", "Memory that is not used at all.", b"MemFree"),
    bytes("node_memory_MemTotal_bytes", "Memory that the kernel manages.", b"MemTotal"),
    bytes("node_memory_Mlocked_bytes", "Memory that processes locked.", b"Mlocked"),
    bytes(
        "node_memory_NFS_Unstable_bytes",
        "Memory sent to NFS servers and not yet stored there; always 0 since Linux 5.8.",
        b"NFS_Unstable",
    ),
    bytes("node_memory_PageTables_bytes", "Memory of page tables.", b"PageTables"),
    bytes("node_memory_Percpu_bytes", "Memory of per-CPU variables.", b"Percpu"),
    bytes("node_memory_SReclaimable_bytes", "Kernel caches that can be reclaimed.", b"SReclaimable"),
    bytes("node_memory_SUnreclaim_bytes", "Kernel memory of slabs that cannot be reclaimed.", b"SUnreclaim"),
    bytes("node_memory_Shmem_bytes", "Shared memory and files of tmpfs.", b"Shmem"),
    bytes("node_memory_ShmemHugePages_bytes", "Shared memory in huge pages.", b"ShmemHugePages"),
    bytes("node_memory_ShmemPmdMapped_bytes", "Shared memory mapped by huge pages.", b"ShmemPmdMapped"),
    bytes("node_memory_Slab_bytes", "Kernel memory of slabs.", b"Slab"),
    bytes("node_memory_SwapCached_bytes", "Memory that is in swap too.", b"SwapCached"),
    bytes("node_memory_SwapFree_bytes", "Swap that is not used.", b"SwapFree"),
    bytes("node_memory_SwapTotal_bytes", "Swap in all.", b"SwapTotal"),
    bytes("node_memory_Unevictable_bytes", "Memory that cannot be reclaimed.", b"Unevictable"),
    bytes(
        "node_memory_VmallocChunk_bytes",
        "Largest free piece of the kernel's virtual address space; 0 on newer kernels.",
        b"VmallocChunk",
    ),
    bytes("node_memory_VmallocTotal_bytes", "The kernel's virtual address space.", b"VmallocTotal"),
    bytes("node_memory_VmallocUsed_bytes", "Used part of the kernel's virtual address space.", b"VmallocUsed"),
    bytes("node_memory_Writeback_bytes", "Memory that is being written to disk.", b"Writeback"),
    bytes("node_memory_WritebackTmp_bytes", "Memory of temporary buffers for writing by FUSE.", b"WritebackTmp"),
    bytes("node_memory_Zswap_bytes", "Memory that compressed swap takes.", b"Zswap"),
    bytes("node_memory_Zswapped_bytes", "Memory that is compressed in swap, before compression.", b"Zswapped"),
];

/// Numbers of huge pages of the default size.
pub(super) static PAGES: [Field<Count>; 4] = [
    pages("node_memory_HugePages_Free", "Huge pages that are not used.", b"HugePages_Free"),
    pages("node_memory_HugePages_Rsvd", "Huge pages that are promised and not yet used.", b"HugePages_Rsvd"),
    pages("node_memory_HugePages_Surp", "Huge pages beyond the configured number.", b"HugePages_Surp"),
    pages("node_memory_HugePages_Total", "Huge pages in all.", b"HugePages_Total"),
];

static DESCS: [&Desc; 51] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; 51] {
    let mut all = [BYTES[0].family.desc(); 51];
    let mut i = 0;
    while i < BYTES.len() {
        all[i] = BYTES[i].family.desc();
        i += 1;
    }
    let mut j = 0;
    while j < PAGES.len() {
        all[i + j] = PAGES[j].family.desc();
        j += 1;
    }
    all
}
