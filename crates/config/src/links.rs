//! References between sections: do they lead anywhere, to the right kind, in no circle, and
//! is there something nobody refers to.

use std::collections::{BTreeMap, BTreeSet};

use crate::authentication::Authentication;
use crate::check::Checked;
use crate::decl::{Kind, ParamDecl, Refers};
use crate::names;
use crate::object::ObjectKind;
use crate::params::{ListenerParams, MonitorParams, ServiceParams};
use crate::problem::Fault;
use crate::report::{Report, Spot};
use crate::suggest::nearest;
use crate::value::Value;

/// All objects of a configuration, in the order of the files.
pub(crate) struct Graph {
    pub(crate) globals: Checked,
    pub(crate) objects: Vec<Checked>,
    /// Sections that could not be understood; a reference to one is not reported as well.
    pub(crate) broken: BTreeSet<String>,
}

impl Graph {
    pub(crate) fn of(&self, kind: ObjectKind) -> impl Iterator<Item = &Checked> {
        self.objects
            .iter()
            .filter(move |object| object.kind == kind)
    }

    fn find(&self, name: &str) -> Option<&Checked> {
        self.objects.iter().find(|object| object.name == name)
    }

    /// Checks all references.
    pub(crate) fn check(&self, report: &mut Report) {
        for object in self.objects.iter().chain([&self.globals]) {
            for (decl, value) in object.values.iter() {
                self.references(object, decl, value, report);
            }
        }
        self.one_kind_of_target(report);
        self.target_cycles(report);
        self.watched_once(report);
        self.asked_at_once(report);
        self.unused(report);
    }

    /// Servers that decide about clients must be connected to when a client logs in.
    fn asked_at_once(&self, report: &mut Report) {
        for listener in self.of(ObjectKind::Listener) {
            let params: ListenerParams = listener.params();
            let decides = Authentication::of(&params).is_ok_and(|made| made.servers_decide);
            let lazy = self
                .find(&params.service)
                .and_then(|service| service.values.get("lazy_connect"));
            if decides && lazy == Some(&Value::Bool(true)) {
                let text = format!(
                    "clear_pw_passthrough tries passwords on a server at the login, so that service '{}' cannot have lazy_connect=true",
                    params.service
                );
                report.error(&listener.spot("authenticator_options"), Fault::Rule(text));
            }
        }
    }

    fn references(&self, object: &Checked, decl: &ParamDecl, value: &Value, report: &mut Report) {
        match (decl.kind, value) {
            (Kind::Reference(to), Value::Text(name)) => {
                self.reference(object, decl, to, name, report);
            }
            (Kind::References(to), Value::List(list)) => {
                let mut seen = BTreeSet::new();
                for name in list {
                    self.reference(object, decl, to, name, report);
                    if !seen.insert(name) && to != Refers::Filter {
                        let fault = Fault::NamedTwice {
                            name: names::shown(name),
                        };
                        report.error(&object.spot(decl.name), fault);
                    }
                }
            }
            _ => {}
        }
    }

    fn reference(
        &self,
        object: &Checked,
        decl: &ParamDecl,
        to: Refers,
        name: &str,
        report: &mut Report,
    ) {
        let fault = match self.find(name) {
            Some(found) if fits(to, found.kind) => return,
            Some(found) => Fault::WrongObject {
                name: name.to_owned(),
                kind: found.kind,
                wanted: to.noun(),
                place: found.place.clone(),
            },
            None if self.broken.contains(name) => return,
            None => {
                let fitting = self.objects.iter().filter(|found| fits(to, found.kind));
                let known = fitting.map(|found| found.name.as_str());
                Fault::NoSuchObject {
                    name: names::shown(name),
                    wanted: to.noun(),
                    nearest: nearest(name, known).map(str::to_owned),
                }
            }
        };
        report.error(&object.spot(decl.name), fault);
    }

    fn one_kind_of_target(&self, report: &mut Report) {
        for service in self.of(ObjectKind::Service) {
            let params: ServiceParams = service.params();
            let given: Vec<&'static str> = [
                ("servers", !params.servers.is_empty()),
                ("targets", !params.targets.is_empty()),
                ("cluster", params.cluster.is_some()),
            ]
            .into_iter()
            .filter_map(|(name, given)| given.then_some(name))
            .collect();
            if let [_, second, ..] = given[..] {
                report.error(&service.spot(second), Fault::OnlyOne { names: given });
            }
        }
    }

    /// Reports every circle of services once, at its first service.
    fn target_cycles(&self, report: &mut Report) {
        let edges: BTreeMap<&str, Vec<String>> = self
            .of(ObjectKind::Service)
            .map(|service| {
                let targets = service.params::<ServiceParams>().targets;
                (service.name.as_str(), targets)
            })
            .collect();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for service in self.of(ObjectKind::Service) {
            if let Some(cycle) = circle(&edges, &service.name, &mut done) {
                report.error(&service.spot("targets"), Fault::TargetCycle { cycle });
            }
        }
    }

    fn watched_once(&self, report: &mut Report) {
        let mut watched: BTreeMap<String, &str> = BTreeMap::new();
        for monitor in self.of(ObjectKind::Monitor) {
            let servers: BTreeSet<String> = monitor
                .params::<MonitorParams>()
                .servers
                .into_iter()
                .collect();
            for server in servers {
                if let Some(first) = watched.get(&server) {
                    let fault = Fault::WatchedTwice {
                        monitor: (*first).to_owned(),
                        server,
                    };
                    report.error(&monitor.spot("servers"), fault);
                } else {
                    watched.insert(server, &monitor.name);
                }
            }
        }
    }

    fn unused(&self, report: &mut Report) {
        let referred = self.referred();
        let listening: BTreeSet<String> = self
            .of(ObjectKind::Listener)
            .map(|listener| listener.params::<ListenerParams>().service)
            .collect();
        for object in &self.objects {
            let used = referred.contains(&object.name) || listening.contains(&object.name);
            let text = match object.kind {
                ObjectKind::Server => "no service and no monitor refers to this server",
                ObjectKind::Filter => "no service uses this filter",
                ObjectKind::Service => "the service has no listener and no service targets it",
                _ => continue,
            };
            if !used {
                let spot = Spot::section(&object.place, &object.name);
                report.warning(&spot, Fault::Unused(text));
            }
        }
        if self.of(ObjectKind::Service).next().is_none() {
            let fault = Fault::Unused("there is no service: only the REST interface will run");
            report.warning(&Spot::file(&self.globals.place), fault);
        }
    }

    /// The names that services and monitors refer to.
    fn referred(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for service in self.of(ObjectKind::Service) {
            let params: ServiceParams = service.params();
            names.extend(params.servers);
            names.extend(params.targets);
            names.extend(params.filters);
        }
        for monitor in self.of(ObjectKind::Monitor) {
            names.extend(monitor.params::<MonitorParams>().servers);
        }
        names
    }
}

fn fits(to: Refers, kind: ObjectKind) -> bool {
    match to {
        Refers::Server => kind == ObjectKind::Server,
        Refers::Monitor => kind == ObjectKind::Monitor,
        Refers::Service => kind == ObjectKind::Service,
        Refers::Filter => kind == ObjectKind::Filter,
        Refers::Target => matches!(kind, ObjectKind::Server | ObjectKind::Service),
        Refers::Include => kind == ObjectKind::Include,
    }
}

/// The first circle that can be reached from `start` through services not seen before.
fn circle<'a>(
    edges: &'a BTreeMap<&str, Vec<String>>,
    start: &'a str,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    // Each step of the way, and how many of its targets have been tried.
    let mut way: Vec<(&str, usize)> = vec![(start, 0)];
    if done.contains(start) {
        return None;
    }
    let mut found = None;
    while let Some((service, tried)) = way.last_mut() {
        let service = *service;
        let next = edges.get(service).and_then(|targets| targets.get(*tried));
        *tried += 1;
        let Some(next) = next else {
            done.insert(service);
            way.pop();
            continue;
        };
        if let Some(from) = way.iter().position(|(step, _)| step == next) {
            let steps = way.iter().skip(from).map(|(step, _)| (*step).to_owned());
            found = found.or_else(|| Some(steps.chain([next.clone()]).collect()));
        } else if edges.contains_key(next.as_str()) && !done.contains(next.as_str()) {
            way.push((next, 0));
        }
    }
    found
}
