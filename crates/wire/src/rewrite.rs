//! The outcome of functions that change a packet only where it must be changed.

/// What a rewriting function did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Rewrite {
    /// The packet may go on as it came; nothing was appended.
    Unchanged,
    /// The new payload was appended.
    Written,
}
