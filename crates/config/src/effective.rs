//! The third layer of values: what a parameter comes to once everything that depends on the
//! machine, on other parameters and on the place of the files has been derived.
//!
//! REST shows these; files written at runtime hold the layer before.

use std::path::Path;

use crate::check::Checked;
use crate::decl::Kind;
use crate::location::Locations;
use crate::macros::Params;
use crate::object::ObjectKind;
use crate::params::{DirectoryParams, MaxScaleParams, StatementParams, ThreadParams};
use crate::problem::Fault;
use crate::registry::RuleScope;
use crate::report::Report;
use crate::unit::ByteSize;
use crate::value::{Field as _, Value, Values};

/// What values may depend on besides the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Processors really available, at least 1.
    pub cores: u64,
    /// Memory really available.
    pub memory: ByteSize,
}

impl Default for Machine {
    /// One processor, one GiB: enough for a check.
    fn default() -> Self {
        Self {
            cores: 1,
            memory: ByteSize(1 << 30),
        }
    }
}

/// The effective globals.
pub(crate) fn globals(
    checked: &Checked,
    machine: Machine,
    locations: &Locations,
    report: &mut Report,
) -> Values {
    let mut values = checked.values.clone();
    directories(checked, &mut values, locations);
    threads(checked, &mut values, machine, report);
    cache_size(&mut values, machine);
    values
}

fn directories(checked: &Checked, values: &mut Values, locations: &Locations) {
    for decl in DirectoryParams::TABLE.decls {
        let default = decl.default_value();
        if let (false, Value::Text(path)) = (checked.is_written(decl.name), default) {
            values.set(decl.name, locations.place(&path).to_value());
        }
    }
    let directories = DirectoryParams::from_values(values);
    if directories.secretsdir.is_none() {
        values.set("secretsdir", directories.datadir.to_value());
    }
    if !checked.is_written("admin_audit_file") {
        let file = directories.logdir.join("admin_audit.csv");
        values.set("admin_audit_file", file.to_value());
    }
}

fn threads(checked: &Checked, values: &mut Values, machine: Machine, report: &mut Report) {
    let limit = ThreadParams::from_values(values).threads_max;
    let threads = match values.get("threads") {
        Some(Value::Count(threads)) => *threads,
        _ => machine.cores.max(1),
    };
    if threads > limit {
        let fault = Fault::Rule(format!(
            "{threads} is lowered to {limit}, the value of threads_max"
        ));
        report.warning(&checked.spot("threads"), fault);
    }
    values.set("threads", Value::Count(threads.min(limit)));
}

/// Share of the memory that the cache of classified statements has by default.
const CACHE_PERCENT: u64 = 15;

fn cache_size(values: &mut Values, machine: Machine) {
    let name = "query_classifier_cache_size";
    if values.get(name) == Some(&Value::Auto) {
        let share = machine.memory.0 / 100 * CACHE_PERCENT;
        values.set(name, Value::Size(ByteSize(share)));
    }
}

/// The effective values of any other object.
pub(crate) fn object(checked: &Checked, globals: &MaxScaleParams, report: &mut Report) -> Values {
    let mut values = checked.values.clone();
    absolute_paths(&mut values, &globals.directories.module_configdir);
    match checked.kind {
        ObjectKind::Server => unused_address(checked, &mut values),
        ObjectKind::Listener => {
            unused_address(checked, &mut values);
            inherit_sql_mode(checked, &mut values, &globals.statements);
        }
        _ => {}
    }
    module_rule(checked, &mut values, report);
    values
}

/// Paths of modules are relative to one directory.
fn absolute_paths(values: &mut Values, base: &Path) {
    let relative: Vec<(&'static str, String)> = values
        .iter()
        .filter(|(decl, _)| decl.kind == Kind::Path)
        .filter_map(|(decl, value)| match value {
            Value::Text(path) if !path.starts_with('/') => Some((decl.name, path.clone())),
            _ => None,
        })
        .collect();
    for (name, path) in relative {
        values.set(name, base.join(path).to_value());
    }
}

/// Behind a UNIX socket, address and port do not count.
fn unused_address(checked: &Checked, values: &mut Values) {
    if checked.is_written("socket") && matches!(values.get("socket"), Some(Value::Text(_))) {
        values.set("address", Value::Unset);
        values.set("port", Value::Unset);
    }
}

fn inherit_sql_mode(checked: &Checked, values: &mut Values, statements: &StatementParams) {
    if !checked.is_written("sql_mode") {
        values.set("sql_mode", statements.sql_mode.to_value());
    }
}

fn module_rule(checked: &Checked, values: &mut Values, report: &mut Report) {
    let Some(rule) = checked.module.and_then(|module| module.rule) else {
        return;
    };
    if !checked.failed.is_empty() {
        return;
    }
    let mut scope = RuleScope {
        values,
        written: &|parameter| checked.is_written(parameter),
        findings: Vec::new(),
    };
    rule(&mut scope);
    for finding in scope.findings {
        let spot = checked.spot(finding.parameter);
        report.add(finding.severity, &spot, Fault::Rule(finding.text));
    }
}
