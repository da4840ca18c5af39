//! The table of routers.

use std::sync::Arc;

use tidegate_config::{ModuleDecl, Params as _, Values};
use tidegate_session::router::Router;

use crate::readconnroute::{self, ReadConnRoute, ReadConnRouteParams};
use crate::readwritesplit::{self, ReadWriteSplit, ReadWriteSplitParams};

/// A router module: what the configuration knows of it, and how one is made.
#[derive(Debug, Clone, Copy)]
pub struct RouterModule {
    /// Name, parameters, help.
    pub declaration: &'static ModuleDecl,
    /// Makes a service's router from its validated parameters.
    pub make: fn(&Values) -> Arc<dyn Router>,
}

/// Every router.
pub static ROUTERS: &[RouterModule] = &[
    RouterModule {
        declaration: &readconnroute::MODULE,
        make: |values| {
            Arc::new(ReadConnRoute::new(&ReadConnRouteParams::from_values(
                values,
            )))
        },
    },
    RouterModule {
        declaration: &readwritesplit::MODULE,
        make: |values| {
            Arc::new(ReadWriteSplit::new(&ReadWriteSplitParams::from_values(
                values,
            )))
        },
    },
];

/// The router of that name.
#[must_use]
pub fn router(name: &str) -> Option<&'static RouterModule> {
    ROUTERS
        .iter()
        .find(|module| module.declaration.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_makes_the_router_of_its_name() {
        for module in ROUTERS {
            let defaults = Values::defaults([module.declaration.table]);
            assert_eq!((module.make)(&defaults).name(), module.declaration.name);
        }
    }

    #[test]
    fn names_are_found_and_others_are_not() {
        assert!(router("readwritesplit").is_some());
        assert!(router("readwritesplitter").is_none());
    }
}
