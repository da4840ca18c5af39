//! All sections of all files, each once: the main file, its drop-in directory, the files
//! written at runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::files::{FileSource, cnf_files};
use crate::grammar::{self, Entry, Form, Section};
use crate::macros::Params as _;
use crate::params::MaxScaleParams;
use crate::problem::{Fault, Place};
use crate::report::{Report, Spot};
use crate::secret::Secret;

/// How an object came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Written in the main file or its drop-in directory.
    Static,
    /// Made or changed at runtime.
    Runtime,
}

/// Where an object comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub file: String,
    /// How it came to be.
    pub kind: SourceKind,
}

/// A section and where it comes from.
pub(crate) type Sourced = (Section, Source);

/// The name of the global section, in any case.
pub(crate) fn is_globals(name: &str) -> bool {
    name.eq_ignore_ascii_case("maxscale")
}

/// The main file: its global section, which may be missing, and the others.
pub(crate) struct Main {
    pub(crate) globals: Section,
    pub(crate) others: Vec<Sourced>,
}

/// Reads the main file. Options of the command line replace what it says.
pub(crate) fn main_file(
    files: &dyn FileSource,
    path: &Path,
    options: &[(String, String)],
    report: &mut Report,
) -> Main {
    let mut globals: Option<Section> = None;
    let mut others: Vec<Sourced> = Vec::new();
    for (section, source) in sections(files, path, SourceKind::Static, report) {
        if !is_globals(&section.name) {
            add(&mut others, (section, source), report);
        } else if let Some(first) = &globals {
            duplicate(&section, &first.place, report);
        } else {
            globals = Some(section);
        }
    }
    let mut globals = globals.unwrap_or_else(|| Section {
        name: "maxscale".to_owned(),
        place: file_place(path),
        entries: Vec::new(),
    });
    override_globals(&mut globals, options);
    Main { globals, others }
}

/// Adds the sections of the drop-in directory, the main file's name with `.d`.
pub(crate) fn drop_in(files: &dyn FileSource, path: &Path, main: &mut Main, report: &mut Report) {
    let mut directory = path.as_os_str().to_owned();
    directory.push(".d");
    for path in listed(files, Path::new(&directory), report) {
        for (section, source) in sections(files, &path, SourceKind::Static, report) {
            if is_globals(&section.name) {
                let main = main.globals.place.clone();
                let spot = Spot::section(&section.place, &section.name);
                report.error(&spot, Fault::GlobalsElsewhere { main });
            } else {
                add(&mut main.others, (section, source), report);
            }
        }
    }
}

/// What the files written at runtime hold besides objects.
pub(crate) struct Persisted {
    /// All of the files.
    pub(crate) files: Vec<PathBuf>,
    /// Globals, which replace the main file's one parameter at a time.
    pub(crate) globals: Vec<Section>,
}

/// Replaces sections by those of the files written at runtime.
pub(crate) fn persisted(
    files: &dyn FileSource,
    directory: &Path,
    main: &mut Main,
    report: &mut Report,
) -> Persisted {
    let mut globals = Vec::new();
    let mut runtime: Vec<Sourced> = Vec::new();
    let paths = listed(files, directory, report);
    for path in &paths {
        for (section, source) in sections(files, path, SourceKind::Runtime, report) {
            file_name(path, &section, report);
            if is_globals(&section.name) {
                globals.push(section);
            } else {
                add(&mut runtime, (section, source), report);
            }
        }
    }
    for (section, source) in runtime {
        match main
            .others
            .iter_mut()
            .find(|(known, _)| known.name == section.name)
        {
            Some(known) => {
                let fault = Fault::Replaced {
                    by: section.place.clone(),
                };
                report.notice(&Spot::section(&known.0.place, &section.name), fault);
                *known = (section, source);
            }
            None => main.others.push((section, source)),
        }
    }
    Persisted {
        files: paths,
        globals,
    }
}

pub(crate) fn file_place(path: &Path) -> Place {
    Place {
        file: path.to_string_lossy().into(),
        line: 0,
    }
}

fn sections(
    files: &dyn FileSource,
    path: &Path,
    kind: SourceKind,
    report: &mut Report,
) -> Vec<Sourced> {
    let place = file_place(path);
    match files.read(path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let source = Source {
                file: place.file.to_string(),
                kind,
            };
            grammar::parse(&place.file, &bytes, report)
                .into_iter()
                .map(|section| (section, source.clone()))
                .collect()
        }
        Err(error) => {
            let fault = Fault::Unreadable {
                reason: error.to_string(),
            };
            report.error(&Spot::file(&place), fault);
            Vec::new()
        }
    }
}

fn listed(files: &dyn FileSource, directory: &Path, report: &mut Report) -> Vec<PathBuf> {
    cnf_files(files, directory).unwrap_or_else(|(path, error)| {
        let fault = Fault::Unreadable {
            reason: error.to_string(),
        };
        report.error(&Spot::file(&file_place(&path)), fault);
        Vec::new()
    })
}

fn add(sections: &mut Vec<Sourced>, new: Sourced, report: &mut Report) {
    match sections.iter().find(|(known, _)| known.name == new.0.name) {
        Some((first, _)) => duplicate(&new.0, &first.place, report),
        None => sections.push(new),
    }
}

fn duplicate(section: &Section, first: &Place, report: &mut Report) {
    let fault = Fault::DuplicateSection {
        first: first.clone(),
    };
    report.error(&Spot::section(&section.place, &section.name), fault);
}

fn file_name(path: &Path, section: &Section, report: &mut Report) {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy());
    let same = stem
        .is_some_and(|stem| stem == section.name || is_globals(&stem) && is_globals(&section.name));
    if !same {
        let fault = Fault::FileName {
            section: section.name.clone(),
        };
        report.warning(&Spot::file(&section.place), fault);
    }
}

/// Replaces parameters of the globals by those written at runtime. What is fixed at start
/// counts in the main file only.
pub(crate) fn merge_globals(globals: &mut Section, runtime: Section, report: &mut Report) {
    for entry in runtime.entries {
        let decl = MaxScaleParams::TABLE.find(&entry.key);
        if decl.is_some_and(|decl| !decl.modifiable()) {
            let spot = Spot::parameter(&entry.place, &runtime.name, &entry.key);
            report.warning(&spot, Fault::FixedAtStart);
            continue;
        }
        let known = globals
            .entries
            .iter_mut()
            .find(|known| known.key == entry.key);
        match known {
            // What the command line says stays.
            Some(known) if &*known.place.file == COMMAND_LINE => {}
            Some(known) => *known = entry,
            None => globals.entries.push(entry),
        }
    }
}

const COMMAND_LINE: &str = "command line";

fn override_globals(globals: &mut Section, options: &[(String, String)]) {
    let place = Place {
        file: Arc::from(COMMAND_LINE),
        line: 0,
    };
    for (key, value) in options {
        globals.entries.retain(|entry| entry.key != *key);
        globals.entries.push(Entry {
            key: key.clone(),
            value: Secret::new(value.clone()),
            place: place.clone(),
            first_len: value.len(),
            indented: Vec::new(),
            form: Form::Literal,
        });
    }
}
