//! From files to a configuration, in steps that each gather what is wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::check::{Checked, Checker, Outcome};
use crate::config::{Config, Object};
use crate::effective::{self, Machine};
use crate::files::{FileSource, MemoryFiles};
use crate::gather::{self, Main, Source, SourceKind, Sourced};
use crate::links::Graph;
use crate::location::Locations;
use crate::macros::Params;
use crate::names;
use crate::object::ObjectKind;
use crate::params::{DirectoryParams, ListenerParams, PersistenceParams};
use crate::problem::{Errors, Fault};
use crate::registry::Registry;
use crate::report::{Report, Spot};
use crate::resolve::{self, Includes};
use crate::rules;
use crate::secret::{Decrypt, Keys, Passwords};
use crate::{clash, secure};

/// Loads configurations.
pub struct Loader<'a> {
    files: &'a dyn FileSource,
    registry: &'a Registry,
    machine: Machine,
    locations: Locations,
    options: Vec<(String, String)>,
    keys: Option<&'a dyn Keys>,
}

impl<'a> Loader<'a> {
    /// A loader that knows these files and modules.
    #[must_use]
    pub fn new(files: &'a dyn FileSource, registry: &'a Registry) -> Self {
        Self {
            files,
            registry,
            machine: Machine::default(),
            locations: Locations::default(),
            options: Vec::new(),
            keys: None,
        }
    }

    /// The machine that values are derived from.
    #[must_use]
    pub fn machine(mut self, machine: Machine) -> Self {
        self.machine = machine;
        self
    }

    /// Where default paths lie.
    #[must_use]
    pub fn locations(mut self, locations: Locations) -> Self {
        self.locations = locations;
        self
    }

    /// Global parameters given on the command line; each beats the file.
    #[must_use]
    pub fn options(mut self, options: Vec<(String, String)>) -> Self {
        self.options = options;
        self
    }

    /// Where the key is found that passwords may be encrypted with.
    #[must_use]
    pub fn keys(mut self, keys: &'a dyn Keys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Loads the main file and everything that goes with it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in all files, at once.
    pub fn load(&self, main: &Path) -> Result<Config, Errors> {
        let mut report = Report::default();
        let (main, runtime_files) = self.gather(main, &mut report);
        let key: Option<Arc<dyn Decrypt>> = self.key(&main, &mut report).map(Arc::from);
        let graph = self.graph(main, key.as_deref(), &mut report);
        graph.check(&mut report);
        for object in graph.objects.iter().chain([&graph.globals]) {
            rules::check(object, &mut report);
        }
        if !rules::duplicate_servers_allowed(&graph.globals) {
            clash::servers(&graph, &mut report);
        }
        clash::listeners(&graph, &mut report);
        secure::transport(&graph, &mut report);
        let mut config = self.config(graph, &mut report);
        config.passwords = Passwords::new(key);
        for file in &runtime_files {
            report.advise(&gather::file_place(file), Fault::RuntimeFile);
        }
        config.warnings = report.finish()?;
        Ok(config)
    }

    /// All sections, their variables substituted and their includes added, and the files
    /// written at runtime that are among their sources.
    fn gather(&self, path: &Path, report: &mut Report) -> (Main, Vec<PathBuf>) {
        let mut main = gather::main_file(self.files, path, &self.options, report);
        let substitute = resolve::globals(&mut main.globals, self.files, report);
        gather::drop_in(self.files, path, &mut main, report);
        let mut runtime_files = Vec::new();
        if let Some(directory) = self.persistdir(&main) {
            let persisted = gather::persisted(self.files, &directory, &mut main, report);
            for mut globals in persisted.globals {
                resolve::section(&mut globals, substitute, self.files, report);
                gather::merge_globals(&mut main.globals, globals, report);
            }
            runtime_files = persisted.files;
        }
        for (section, _) in &mut main.others {
            resolve::section(section, substitute, self.files, report);
        }
        names::check(main.others.iter().map(|(section, _)| section), report);
        include(&mut main, report);
        (main, runtime_files)
    }

    /// The directory of files written at runtime, if they are to be read. Only the main file
    /// says so, and what is wrong with it is reported later, with everything else.
    fn persistdir(&self, main: &Main) -> Option<PathBuf> {
        let mut unheard = Report::default();
        let checked = self.checker(None, &mut unheard).globals(&main.globals);
        if !checked.params::<PersistenceParams>().load_persisted_configs {
            return None;
        }
        let values = effective::globals(&checked, self.machine, &self.locations, &mut unheard);
        Some(DirectoryParams::from_values(&values).persistdir)
    }

    /// The key of encrypted passwords, from the directory that the main file says.
    fn key(&self, main: &Main, report: &mut Report) -> Option<Box<dyn Decrypt>> {
        let mut unheard = Report::default();
        let checked = self.checker(None, &mut unheard).globals(&main.globals);
        let values = effective::globals(&checked, self.machine, &self.locations, &mut unheard);
        let directories = DirectoryParams::from_values(&values);
        let directory = directories.secretsdir.unwrap_or(directories.datadir);
        match self.keys?.open(&directory) {
            Ok(key) => key,
            Err(reason) => {
                let place = &main.globals.place;
                report.error(
                    &Spot::section(place, &main.globals.name),
                    Fault::Keys { reason },
                );
                None
            }
        }
    }

    fn checker<'r>(&self, decrypt: Option<&'r dyn Decrypt>, report: &'r mut Report) -> Checker<'r>
    where
        'a: 'r,
    {
        Checker {
            registry: self.registry,
            decrypt,
            weights: BTreeSet::new(),
            report,
        }
    }

    /// All sections understood.
    fn graph(&self, main: Main, key: Option<&dyn Decrypt>, report: &mut Report) -> Graph {
        let mut checker = self.checker(key, report);
        checker.weights = weights(&main.others);
        let mut graph = Graph {
            globals: checker.globals(&main.globals),
            objects: Vec::new(),
            broken: BTreeSet::new(),
        };
        let mut skipped = BTreeSet::new();
        for (section, source) in main.others {
            match checker.section(&section, source) {
                Outcome::Object(checked) => graph.objects.push(*checked),
                Outcome::Skipped => {
                    skipped.insert(section.name);
                }
                Outcome::Broken => {
                    graph.broken.insert(section.name);
                }
            }
        }
        skip_listeners(&mut graph, &skipped, report);
        graph
    }

    fn config(&self, graph: Graph, report: &mut Report) -> Config {
        let values = effective::globals(&graph.globals, self.machine, &self.locations, report);
        let mut config = Config {
            maxscale: Object::new(graph.globals, values),
            servers: Vec::new(),
            monitors: Vec::new(),
            filters: Vec::new(),
            services: Vec::new(),
            listeners: Vec::new(),
            warnings: Vec::new(),
            passwords: Passwords::default(),
        };
        for checked in graph.objects {
            let values = effective::object(&checked, &config.maxscale.params, report);
            match checked.kind {
                ObjectKind::Server => config.servers.push(Object::new(checked, values)),
                ObjectKind::Monitor => config.monitors.push(Object::new(checked, values)),
                ObjectKind::Filter => config.filters.push(Object::new(checked, values)),
                ObjectKind::Service => config.services.push(Object::new(checked, values)),
                ObjectKind::Listener => config.listeners.push(Object::new(checked, values)),
                ObjectKind::MaxScale | ObjectKind::Include => {}
            }
        }
        config
    }
}

impl Checker<'_> {
    /// Checks the global section.
    fn globals(&mut self, section: &crate::grammar::Section) -> Checked {
        let source = Source {
            file: section.place.file.to_string(),
            kind: SourceKind::Static,
        };
        self.object(section, ObjectKind::MaxScale, source)
    }
}

/// Adds to each section what it includes, and drops the include sections.
fn include(main: &mut Main, report: &mut Report) {
    let mut includes = Includes::take(&mut main.others, report);
    for (section, _) in &mut main.others {
        includes.apply(section, report);
    }
    includes.apply(&mut main.globals, report);
    includes.report_unused(report);
}

/// The names that `weightby` of any service gives to weights.
fn weights(sections: &[Sourced]) -> BTreeSet<String> {
    let entries = sections
        .iter()
        .filter_map(|(section, _)| resolve::entry(section, "weightby"));
    entries
        .map(|entry| entry.value.reveal().to_owned())
        .collect()
}

/// A listener of a skipped service is skipped as well.
fn skip_listeners(graph: &mut Graph, skipped: &BTreeSet<String>, report: &mut Report) {
    graph.objects.retain(|object| {
        let listens = object.kind == ObjectKind::Listener
            && skipped.contains(&object.params::<ListenerParams>().service);
        if listens {
            let reason = "its service is skipped".to_owned();
            let spot = Spot::section(&object.place, &object.name);
            report.warning(&spot, Fault::Skipped { reason });
        }
        !listens
    });
}

/// Loads a configuration with defaults for everything else; see [`Loader`].
///
/// # Errors
///
/// Everything that is wrong, in all files, at once.
pub fn load(files: &dyn FileSource, main: &Path, registry: &Registry) -> Result<Config, Errors> {
    Loader::new(files, registry).load(main)
}

/// Loads a configuration that is one text, called `tidegate.cnf` in messages.
///
/// # Errors
///
/// Everything that is wrong, at once.
pub fn load_text(text: &str, registry: &Registry) -> Result<Config, Errors> {
    let main = Path::new("tidegate.cnf");
    let files = MemoryFiles::new().file(main, text);
    load(&files, main, registry)
}
