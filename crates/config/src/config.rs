//! A whole, valid configuration.

use std::fmt;

use crate::check::Checked;
use crate::gather::Source;
use crate::macros::Params;
use crate::object::ObjectKind;
use crate::params::{
    FilterParams, ListenerParams, MaxScaleParams, MonitorParams, ServerParams, ServiceParams,
};
use crate::problem::{Place, Problem};
use crate::registry::ModuleDecl;
use crate::secret::Passwords;
use crate::value::Values;
use crate::view::{View, parameter_members};

/// One object of a configuration.
#[derive(Clone, PartialEq)]
pub struct Object<P> {
    /// Its name, the section's.
    pub name: String,
    /// What it is.
    pub kind: ObjectKind,
    /// The parameters all objects of its kind have; effective values.
    pub params: P,
    /// All parameters, the module's among them, as they were given or are by default.
    pub whole: Values,
    /// All parameters after everything was derived; what REST shows.
    pub effective: Values,
    /// Its router, filter, monitor or protocol module.
    pub module: Option<&'static ModuleDecl>,
    /// The file it comes from.
    pub source: Source,
    /// Where its section begins.
    pub place: Place,
}

impl PartialEq for ModuleDecl {
    /// Modules are what their kinds and names say.
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.name) == (other.kind, other.name)
    }
}

impl<P: Params> Object<P> {
    pub(crate) fn new(checked: Checked, effective: Values) -> Self {
        Self {
            params: P::from_values(&effective),
            name: checked.name,
            kind: checked.kind,
            whole: checked.values,
            effective,
            module: checked.module,
            source: checked.source,
            place: checked.place,
        }
    }
}

impl<P> Object<P> {
    /// The object as it is after some of its parameters were changed while the process runs.
    #[must_use]
    pub fn showing<M: Params>(mut self, changed: &M) -> Self {
        changed.store(&mut self.effective);
        self
    }

    /// The name of its module, as it is registered; empty for objects without one.
    #[must_use]
    pub fn module_name(&self) -> &'static str {
        self.module.map_or("", |module| module.name)
    }

    /// The parameters of its module; effective values.
    #[must_use]
    pub fn module_params<M: Params>(&self) -> M {
        M::from_values(&self.effective)
    }

    /// REST `parameters`: effective values in REST's units, and what the object is.
    #[must_use]
    pub fn parameters(&self) -> View {
        let mut members = parameter_members(&self.effective);
        let module = || View::Text(self.module_name().to_owned());
        let kind = || View::Text(self.kind.noun().to_owned());
        match self.kind {
            ObjectKind::Service => {
                members.push(("router".to_owned(), module()));
                members.push(("type".to_owned(), kind()));
            }
            ObjectKind::Monitor => {
                members.push(("module".to_owned(), module()));
                members.push(("type".to_owned(), kind()));
            }
            ObjectKind::Filter => members.push(("module".to_owned(), module())),
            ObjectKind::Listener => {
                let service = self.effective.get("service");
                let service = service.map_or(View::Null, |value| match value {
                    crate::Value::Text(name) => View::Text(name.clone()),
                    _ => View::Null,
                });
                members.push(("service".to_owned(), service));
                members.push(("type".to_owned(), kind()));
            }
            ObjectKind::MaxScale | ObjectKind::Server | ObjectKind::Include => {}
        }
        members.sort_by(|a, b| a.0.cmp(&b.0));
        View::Object(members)
    }
}

impl<P> fmt::Debug for Object<P> {
    /// Secrets are masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.kind.noun())
            .field("name", &self.name)
            .field("module", &self.module_name())
            .field("effective", &self.effective)
            .finish_non_exhaustive()
    }
}

/// What a service routes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The server of this name.
    Server(String),
    /// The service of this name.
    Service(String),
}

/// A configuration in which every value is valid and every reference leads to an object.
/// Objects are in the order of the files.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The globals.
    pub maxscale: Object<MaxScaleParams>,
    /// The servers.
    pub servers: Vec<Object<ServerParams>>,
    /// The monitors.
    pub monitors: Vec<Object<MonitorParams>>,
    /// The filters.
    pub filters: Vec<Object<FilterParams>>,
    /// The services.
    pub services: Vec<Object<ServiceParams>>,
    /// The listeners.
    pub listeners: Vec<Object<ListenerParams>>,
    /// Warnings and notices, in the order of files and lines.
    pub warnings: Vec<Problem>,
    /// What passwords in files that it names are decrypted with.
    pub passwords: Passwords,
}

impl Config {
    /// What a service routes to, in order: its servers, its targets, or the servers of the
    /// monitor it follows.
    #[must_use]
    pub fn targets(&self, service: &Object<ServiceParams>) -> Vec<Target> {
        let params = &service.params;
        let cluster = params.cluster.as_deref();
        let watched = self
            .monitors
            .iter()
            .filter(|monitor| Some(monitor.name.as_str()) == cluster)
            .flat_map(|monitor| &monitor.params.servers);
        let is_server = |name: &String| self.servers.iter().any(|server| server.name == *name);
        params
            .servers
            .iter()
            .chain(&params.targets)
            .chain(watched)
            .map(|name| {
                if is_server(name) {
                    Target::Server(name.clone())
                } else {
                    Target::Service(name.clone())
                }
            })
            .collect()
    }
}
