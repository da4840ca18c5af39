//! Filters: what all of them have in common.

use crate::decl::ModuleKind;
use crate::declare::required_module;

crate::params! {
    /// Parameters of a filter, common to all modules.
    pub struct FilterParams {
        /// The module that filters.
        module: String = required_module(ModuleKind::Filter).attribute(),
    }
}
