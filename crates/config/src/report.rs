//! Where everything that is found wrong is gathered.

use crate::problem::{Errors, Fault, Place, Problem, Severity};

/// What a problem is about: a file, a section or one parameter.
#[derive(Clone)]
pub(crate) struct Spot<'a> {
    pub(crate) place: &'a Place,
    pub(crate) section: Option<&'a str>,
    pub(crate) parameter: Option<&'a str>,
}

impl<'a> Spot<'a> {
    pub(crate) fn file(place: &'a Place) -> Self {
        Self {
            place,
            section: None,
            parameter: None,
        }
    }

    pub(crate) fn section(place: &'a Place, section: &'a str) -> Self {
        Self {
            section: Some(section),
            ..Self::file(place)
        }
    }

    pub(crate) fn parameter(place: &'a Place, section: &'a str, parameter: &'a str) -> Self {
        Self {
            parameter: Some(parameter),
            ..Self::section(place, section)
        }
    }
}

/// The problems found so far.
#[derive(Default)]
pub(crate) struct Report {
    problems: Vec<Problem>,
}

impl Report {
    pub(crate) fn error(&mut self, spot: &Spot<'_>, fault: Fault) {
        self.add(Severity::Error, spot, fault);
    }

    pub(crate) fn warning(&mut self, spot: &Spot<'_>, fault: Fault) {
        self.add(Severity::Warning, spot, fault);
    }

    pub(crate) fn notice(&mut self, spot: &Spot<'_>, fault: Fault) {
        self.add(Severity::Notice, spot, fault);
    }

    pub(crate) fn add(&mut self, severity: Severity, spot: &Spot<'_>, fault: Fault) {
        self.problems.push(Problem {
            severity,
            place: spot.place.clone(),
            section: spot.section.map(str::to_owned),
            parameter: spot.parameter.map(str::to_owned),
            fault,
        });
    }

    /// Adds an error to a file that has errors.
    pub(crate) fn advise(&mut self, file: &Place, fault: Fault) {
        let has_errors = self
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error && problem.place.file == file.file);
        if has_errors {
            self.error(&Spot::file(file), fault);
        }
    }

    /// The warnings in order of place, or everything if there is an error.
    pub(crate) fn finish(mut self) -> Result<Vec<Problem>, Errors> {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        let (errors, warnings): (Vec<_>, Vec<_>) = self
            .problems
            .into_iter()
            .partition(|problem| problem.severity == Severity::Error);
        if errors.is_empty() {
            Ok(warnings)
        } else {
            Err(Errors { errors, warnings })
        }
    }
}
