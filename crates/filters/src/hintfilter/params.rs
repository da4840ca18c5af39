//! What the configuration knows of the hintfilter: it has no parameters.

use tidegate_config::{ModuleDecl, ModuleKind, Params as _, params};

params! {
    /// Parameters of hintfilter.
    pub struct HintFilterParams {}
}

/// What the configuration knows of the hintfilter.
pub static MODULE: ModuleDecl = ModuleDecl::new(
    ModuleKind::Filter,
    "hintfilter",
    "Turns comments in statements into routing hints.",
    HintFilterParams::TABLE,
);
