//! Numbers of panels: links lead to them, so boards and alerts make them the same way.

/// The number of a panel on its board, made of its name: the same for ever, wherever it stands.
pub fn panel_id(panel: &str) -> u32 {
    // FNV-1a; a second panel of a board with the same number is refused.
    let hash = panel.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    1 + hash % 999_983
}
