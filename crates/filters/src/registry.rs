//! The table of filters.

use std::sync::Arc;

use tidegate_config::{ModuleDecl, Params as _, Values};
use tidegate_session::filter::Filter;

use crate::LineSink;
use crate::hintfilter::{self, HintFilter};
use crate::qlafilter::{self, QlaFilter, QlaFilterParams};

/// Makes a filter from its name, its validated parameters and the place for what it writes.
pub type Make = fn(&str, &Values, &Arc<dyn LineSink>) -> Result<Arc<dyn Filter>, String>;

/// A filter module: what the configuration knows of it, and how one is made.
#[derive(Debug, Clone, Copy)]
pub struct FilterModule {
    /// Name, parameters, help.
    pub declaration: &'static ModuleDecl,
    /// Makes one.
    pub make: Make,
}

/// Every filter.
pub static FILTERS: &[FilterModule] = &[
    FilterModule {
        declaration: &hintfilter::MODULE,
        make: |name, _, _| Ok(Arc::new(HintFilter::new(name))),
    },
    FilterModule {
        declaration: &qlafilter::MODULE,
        make: |name, values, sink| {
            let params = QlaFilterParams::from_values(values);
            Ok(Arc::new(QlaFilter::new(name, params, Arc::clone(sink))?))
        },
    },
];

/// The filter of that module name.
#[must_use]
pub fn filter(module: &str) -> Option<&'static FilterModule> {
    FILTERS
        .iter()
        .find(|known| known.declaration.name == module)
}
