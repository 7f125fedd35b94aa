//! Families of `node_meminfo`.

use metric::{Bytes, Count, Desc, Family};
use procfs_core::Meminfo;

use crate::collectors::node::gauge;

/// A family, and where its value is; `None` when the kernel does not tell.
#[derive(Debug)]
pub(super) struct Field<U: 'static> {
    pub(super) family: Family<U, 0>,
    pub(super) of: fn(&Meminfo) -> Option<u64>,
}

const fn bytes(name: &'static str, help: &'static str, of: fn(&Meminfo) -> Option<u64>) -> Field<Bytes> {
    Field { family: gauge(name, help, &[]), of }
}

const fn pages(name: &'static str, help: &'static str, of: fn(&Meminfo) -> Option<u64>) -> Field<Count> {
    Field { family: gauge(name, help, &[]), of }
}

pub(super) static BYTES: [Field<Bytes>; 47] = [
    bytes("node_memory_Active_bytes", "Memory used lately; it is reclaimed last.", |info| Some(info.active)),
    bytes("node_memory_Active_anon_bytes", "Anonymous memory used lately.", |info| info.active_anon),
    bytes("node_memory_Active_file_bytes", "Page cache used lately.", |info| info.active_file),
    bytes("node_memory_AnonHugePages_bytes", "Anonymous memory in huge pages.", |info| info.anon_hugepages),
    bytes("node_memory_AnonPages_bytes", "Memory of processes that no file stands behind.", |info| info.anon_pages),
    bytes("node_memory_Bounce_bytes", "Memory of bounce buffers of block devices.", |info| info.bounce),
    bytes("node_memory_Buffers_bytes", "Page cache of block devices themselves.", |info| Some(info.buffers)),
    bytes("node_memory_Cached_bytes", "Page cache of files.", |info| Some(info.cached)),
    bytes("node_memory_CmaFree_bytes", "Memory kept for contiguous allocations that is free.", |info| info.cma_free),
    bytes("node_memory_CmaTotal_bytes", "Memory kept for contiguous allocations.", |info| info.cma_total),
    bytes(
        "node_memory_CommitLimit_bytes",
        "Most memory that may be promised to processes under strict overcommit.",
        |info| info.commit_limit,
    ),
    bytes("node_memory_Committed_AS_bytes", "Memory promised to processes, used or not.", |info| {
        Some(info.committed_as)
    }),
    bytes("node_memory_DirectMap1G_bytes", "Memory that the kernel maps in pages of 1 GiB.", |info| info.direct_map_1G),
    bytes("node_memory_DirectMap2M_bytes", "Memory that the kernel maps in pages of 2 MiB.", |info| info.direct_map_2M),
    bytes("node_memory_DirectMap4k_bytes", "Memory that the kernel maps in pages of 4 KiB.", |info| info.direct_map_4k),
    bytes("node_memory_Dirty_bytes", "Memory that waits to be written to disk.", |info| Some(info.dirty)),
    bytes("node_memory_HardwareCorrupted_bytes", "Memory that the kernel found broken.", |info| {
        info.hardware_corrupted
    }),
    bytes("node_memory_Hugepagesize_bytes", "Size of a huge page of the default size.", |info| info.hugepagesize),
    bytes("node_memory_Inactive_bytes", "Memory not used lately; it is reclaimed first.", |info| Some(info.inactive)),
    bytes("node_memory_Inactive_anon_bytes", "Anonymous memory not used lately.", |info| info.inactive_anon),
    bytes("node_memory_Inactive_file_bytes", "Page cache not used lately.", |info| info.inactive_file),
    bytes("node_memory_KernelStack_bytes", "Memory of kernel stacks of tasks.", |info| info.kernel_stack),
    bytes("node_memory_Mapped_bytes", "Memory of files that processes have mapped.", |info| Some(info.mapped)),
    bytes(
        "node_memory_MemAvailable_bytes",
        "Memory that can be had without swapping, by the kernel's estimate.",
        |info| info.mem_available,
    ),
    bytes("node_memory_MemFree_bytes", "Memory that is not used at all.", |info| Some(info.mem_free)),
    bytes("node_memory_MemTotal_bytes", "Memory that the kernel manages.", |info| Some(info.mem_total)),
    bytes("node_memory_Mlocked_bytes", "Memory that processes locked.", |info| info.mlocked),
    bytes(
        "node_memory_NFS_Unstable_bytes",
        "Memory sent to NFS servers and not yet stored there; always 0 since Linux 5.8.",
        |info| info.nfs_unstable,
    ),
    bytes("node_memory_PageTables_bytes", "Memory of page tables.", |info| info.page_tables),
    bytes("node_memory_Percpu_bytes", "Memory of per-CPU variables.", |info| info.per_cpu),
    bytes("node_memory_SReclaimable_bytes", "Kernel caches that can be reclaimed.", |info| info.s_reclaimable),
    bytes("node_memory_SUnreclaim_bytes", "Kernel memory of slabs that cannot be reclaimed.", |info| info.s_unreclaim),
    bytes("node_memory_Shmem_bytes", "Shared memory and files of tmpfs.", |info| info.shmem),
    bytes("node_memory_ShmemHugePages_bytes", "Shared memory in huge pages.", |info| info.shmem_hugepages),
    bytes("node_memory_ShmemPmdMapped_bytes", "Shared memory mapped by huge pages.", |info| info.shmem_pmd_mapped),
    bytes("node_memory_Slab_bytes", "Kernel memory of slabs.", |info| Some(info.slab)),
    bytes("node_memory_SwapCached_bytes", "Memory that is in swap too.", |info| Some(info.swap_cached)),
    bytes("node_memory_SwapFree_bytes", "Swap that is not used.", |info| Some(info.swap_free)),
    bytes("node_memory_SwapTotal_bytes", "Swap in all.", |info| Some(info.swap_total)),
    bytes("node_memory_Unevictable_bytes", "Memory that cannot be reclaimed.", |info| info.unevictable),
    bytes(
        "node_memory_VmallocChunk_bytes",
        "Largest free piece of the kernel's virtual address space; 0 on newer kernels.",
        |info| Some(info.vmalloc_chunk),
    ),
    bytes("node_memory_VmallocTotal_bytes", "The kernel's virtual address space.", |info| Some(info.vmalloc_total)),
    bytes("node_memory_VmallocUsed_bytes", "Used part of the kernel's virtual address space.", |info| {
        Some(info.vmalloc_used)
    }),
    bytes("node_memory_Writeback_bytes", "Memory that is being written to disk.", |info| Some(info.writeback)),
    bytes("node_memory_WritebackTmp_bytes", "Memory of temporary buffers for writing by FUSE.", |info| {
        info.writeback_tmp
    }),
    bytes("node_memory_Zswap_bytes", "Memory that compressed swap takes.", |info| info.z_swap),
    bytes("node_memory_Zswapped_bytes", "Memory that is compressed in swap, before compression.", |info| {
        info.z_swapped
    }),
];

/// Numbers of huge pages of the default size.
pub(super) static PAGES: [Field<Count>; 4] = [
    pages("node_memory_HugePages_Free", "Huge pages that are not used.", |info| info.hugepages_free),
    pages("node_memory_HugePages_Rsvd", "Huge pages that are promised and not yet used.", |info| info.hugepages_rsvd),
    pages("node_memory_HugePages_Surp", "Huge pages beyond the configured number.", |info| info.hugepages_surp),
    pages("node_memory_HugePages_Total", "Huge pages in all.", |info| info.hugepages_total),
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
