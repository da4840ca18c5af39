//! The `modules` resources of REST: what kinds of objects there are and what parameters each
//! takes.

use crate::decl::{ModuleKind, ParamDecl, Table};
use crate::macros::Params;
use crate::params::{MaxScaleParams, ServerParams};
use crate::registry::{ModuleDecl, Registry};
use crate::view::{View, metadata};

/// One module, or one of the pseudo-modules `maxscale` and `servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleView {
    /// Its name, the resource's id.
    pub id: &'static str,
    /// `Router`, `Filter`, `Monitor`, `Protocol`, `maxscale`, `servers`.
    pub module_type: &'static str,
    /// The kind in lower case; pseudo-modules have none.
    pub api: Option<&'static str>,
    /// What it is for.
    pub description: &'static str,
    /// How mature it is.
    pub maturity: &'static str,
    /// Its parameters with type, default, range of words, in order of their names.
    pub parameters: Vec<View>,
}

/// All modules: the pseudo-modules first, then the others in order of their names.
#[must_use]
pub fn modules(registry: &Registry) -> Vec<ModuleView> {
    let mut modules: Vec<&ModuleDecl> = registry.modules().collect();
    modules.sort_by_key(|module| module.name);
    let pseudo = [
        pseudo_module("maxscale", MaxScaleParams::TABLE),
        pseudo_module("servers", ServerParams::TABLE),
    ];
    pseudo
        .into_iter()
        .chain(modules.into_iter().map(module))
        .collect()
}

fn pseudo_module(id: &'static str, table: &'static Table) -> ModuleView {
    ModuleView {
        id,
        module_type: id,
        api: None,
        description: table.about,
        maturity: "GA",
        parameters: metadata(table.all()),
    }
}

fn module(module: &ModuleDecl) -> ModuleView {
    ModuleView {
        id: module.name,
        module_type: module.kind.module_type(),
        api: Some(module.kind.noun()),
        description: module.about,
        maturity: module.maturity,
        parameters: metadata(decls(module)),
    }
}

/// The parameters of every object with this module, the common ones first.
fn decls(module: &ModuleDecl) -> impl Iterator<Item = &'static ParamDecl> {
    let common = match module.kind {
        ModuleKind::Router => Some(crate::params::ServiceParams::TABLE),
        ModuleKind::Monitor => Some(crate::params::MonitorParams::TABLE),
        ModuleKind::Protocol => Some(crate::params::ListenerParams::TABLE),
        ModuleKind::Filter => None,
    };
    common
        .into_iter()
        .chain([module.table])
        .flat_map(Table::all)
}
