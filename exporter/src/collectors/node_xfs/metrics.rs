//! Families of `node_xfs`.

use metric::{Count, Desc, Family, Label};

use crate::collectors::node::counter;

const DEVICE: &[Label; 1] = &[Label::open("device", "XFS file systems of the machine")];

/// A number of the file.
#[derive(Debug)]
pub(super) struct Field {
    /// The word that its line begins with.
    pub(super) line: &'static str,
    /// Which number of the line it is, from 0.
    pub(super) at: usize,
    pub(super) family: Family<Count, 1>,
}

const fn of(line: &'static str, at: usize, name: &'static str, help: &'static str) -> Field {
    Field { line, at, family: counter(name, help, DEVICE) }
}

pub(super) static FIELDS: [Field; 39] = [
    of("extent_alloc", 0, "node_xfs_extent_allocation_extents_allocated_total", "Extents that were allocated."),
    of("extent_alloc", 1, "node_xfs_extent_allocation_blocks_allocated_total", "Blocks that were allocated."),
    of("extent_alloc", 2, "node_xfs_extent_allocation_extents_freed_total", "Extents that were freed."),
    of("extent_alloc", 3, "node_xfs_extent_allocation_blocks_freed_total", "Blocks that were freed."),
    of("abt", 0, "node_xfs_allocation_btree_lookups_total", "Searches in the trees of free space."),
    of("abt", 1, "node_xfs_allocation_btree_compares_total", "Comparisons in the trees of free space."),
    of("abt", 2, "node_xfs_allocation_btree_records_inserted_total", "Records put into the trees of free space."),
    of("abt", 3, "node_xfs_allocation_btree_records_deleted_total", "Records taken from the trees of free space."),
    of("blk_map", 0, "node_xfs_block_mapping_reads_total", "Block maps looked up in order to read."),
    of("blk_map", 1, "node_xfs_block_mapping_writes_total", "Block maps looked up in order to write."),
    of("blk_map", 2, "node_xfs_block_mapping_unmaps_total", "Block maps that lost a range."),
    of("blk_map", 3, "node_xfs_block_mapping_extent_list_insertions_total", "Extents put into lists of extents."),
    of("blk_map", 4, "node_xfs_block_mapping_extent_list_deletions_total", "Extents taken from lists of extents."),
    of("blk_map", 5, "node_xfs_block_mapping_extent_list_lookups_total", "Searches in lists of extents."),
    of("blk_map", 6, "node_xfs_block_mapping_extent_list_compares_total", "Comparisons in lists of extents."),
    of("bmbt", 0, "node_xfs_block_map_btree_lookups_total", "Searches in trees of block maps."),
    of("bmbt", 1, "node_xfs_block_map_btree_compares_total", "Comparisons in trees of block maps."),
    of("bmbt", 2, "node_xfs_block_map_btree_records_inserted_total", "Records put into trees of block maps."),
    of("bmbt", 3, "node_xfs_block_map_btree_records_deleted_total", "Records taken from trees of block maps."),
    of("dir", 0, "node_xfs_directory_operation_lookup_total", "Names looked up in folders that were not in the cache."),
    of("dir", 1, "node_xfs_directory_operation_create_total", "Names put into folders."),
    of("dir", 2, "node_xfs_directory_operation_remove_total", "Names taken from folders."),
    of("dir", 3, "node_xfs_directory_operation_getdents_total", "Listings of folders."),
    of("ig", 0, "node_xfs_inode_operation_attempts_total", "Inodes looked for in the cache."),
    of("ig", 1, "node_xfs_inode_operation_found_total", "Inodes found in the cache."),
    of("ig", 2, "node_xfs_inode_operation_recycled_total", "Inodes found in the cache while they were thrown out."),
    of("ig", 3, "node_xfs_inode_operation_missed_total", "Inodes not found in the cache."),
    of(
        "ig",
        4,
        "node_xfs_inode_operation_duplicates_total",
        "Inodes that another thread had put into the cache meanwhile.",
    ),
    of("ig", 5, "node_xfs_inode_operation_reclaims_total", "Inodes thrown out of the cache for want of memory."),
    of("ig", 6, "node_xfs_inode_operation_attribute_changes_total", "Changes of the attributes of inodes."),
    of("rw", 0, "node_xfs_write_calls_total", "Calls that write."),
    of("rw", 1, "node_xfs_read_calls_total", "Calls that read."),
    of("vnodes", 0, "node_xfs_vnode_active_total", "Inodes in use."),
    of("vnodes", 1, "node_xfs_vnode_allocate_total", "Inodes allocated in memory."),
    of("vnodes", 2, "node_xfs_vnode_get_total", "References taken on inodes that may be unused."),
    of("vnodes", 3, "node_xfs_vnode_hold_total", "References taken on inodes in use."),
    of("vnodes", 4, "node_xfs_vnode_release_total", "References to inodes that were dropped."),
    of("vnodes", 5, "node_xfs_vnode_reclaim_total", "Inodes in memory that were reclaimed."),
    of("vnodes", 6, "node_xfs_vnode_remove_total", "Inodes in memory that were let go of."),
];

static DESCS: [&Desc; FIELDS.len()] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; FIELDS.len()] {
    let mut all = [FIELDS[0].family.desc(); FIELDS.len()];
    let mut i = 0;
    while i < FIELDS.len() {
        all[i] = FIELDS[i].family.desc();
        i += 1;
    }
    all
}
