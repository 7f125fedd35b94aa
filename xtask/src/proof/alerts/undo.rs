//! What takes back what a step did.

use anyhow::Result;

/// Takes back what a step did.
pub(super) type Undo<'l> = Box<dyn FnOnce() -> Result<()> + Send + 'l>;

/// A step that leaves nothing.
#[expect(clippy::unnecessary_wraps, reason = "what steps give")]
pub(super) fn nothing<'l>() -> Result<Undo<'l>> {
    Ok(Box::new(|| Ok(())))
}
