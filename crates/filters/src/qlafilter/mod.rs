//! `qlafilter`: writes statements, and what came of them, to log files.
//!
//! Leaves out on purpose: writing. Lines go to a [`LineSink`]; a slow disk slows no statement.
//!
//! Invariant: an entry belongs to its own statement. Statements and replies pair up first in,
//! first out, those that are not logged included.

mod entry;
mod params;
mod session;
#[cfg(test)]
mod tests;
mod values;

use std::path::Path;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use tidegate_config::{Pattern, WordSet};
use tidegate_session::ErrReply;
use tidegate_session::filter::{Filter, FilterSession, Who};
use tidegate_session::freeze::{Decoder, FreezeError};

use crate::{LineSink, SinkOptions};
use entry::Columns;
pub use params::{DurationUnit, LogData, LogType, MODULE, PatternOption, QlaFilterParams};
use session::Log;

/// A configured `qlafilter`.
#[derive(Debug)]
pub struct QlaFilter {
    name: String,
    shared: Arc<Shared>,
}

/// What all sessions of a filter share.
#[derive(Debug)]
pub(crate) struct Shared {
    sink: Arc<dyn LineSink>,
    columns: Columns,
    statements: Selection,
    users: Selection,
    sources: Selection,
    user: Option<String>,
    source: Option<String>,
    unified: Option<Arc<Path>>,
    print: bool,
    /// The stem of the sessions' files, if they have any.
    session_stem: Option<String>,
    options: Arc<SinkOptions>,
    session_options: Arc<SinkOptions>,
    canonical: bool,
}

/// What matches one pattern and not the other.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    wanted: Option<Regex>,
    unwanted: Option<Regex>,
}

impl Selection {
    fn takes(&self, text: &[u8]) -> bool {
        self.wanted
            .as_ref()
            .is_none_or(|regex| regex.is_match(text))
            && !self
                .unwanted
                .as_ref()
                .is_some_and(|regex| regex.is_match(text))
    }

    fn new(
        wanted: Option<&Pattern>,
        unwanted: Option<&Pattern>,
        options: WordSet<PatternOption>,
    ) -> Result<Selection, String> {
        let compile = |pattern: Option<&Pattern>| {
            pattern
                .map(|pattern| {
                    RegexBuilder::new(pattern.as_str())
                        .case_insensitive(options.contains(PatternOption::IgnoreCase))
                        .ignore_whitespace(options.contains(PatternOption::Extended))
                        .build()
                        .map_err(|error| {
                            format!("cannot use the pattern '{}': {error}", pattern.as_str())
                        })
                })
                .transpose()
        };
        Ok(Selection {
            wanted: compile(wanted)?,
            unwanted: compile(unwanted)?,
        })
    }
}

impl QlaFilter {
    /// With these parameters, writing to `sink`.
    ///
    /// # Errors
    /// A pattern or the common file cannot be used.
    pub fn new(
        name: &str,
        params: QlaFilterParams,
        sink: Arc<dyn LineSink>,
    ) -> Result<QlaFilter, String> {
        let options = params.options;
        let has = |kind| params.log_type.contains(kind);
        let unified: Option<Arc<Path>> = has(LogType::Unified).then(|| {
            let path = format!("{}.unified", params.filebase);
            Arc::from(Path::new(&path))
        });
        if let Some(path) = &unified {
            sink.probe(path).map_err(|error| {
                format!("cannot open '{}' for appending: {error}; check filebase and the rights of its folder", path.display())
            })?;
        }
        let columns = Columns::new(&params);
        let shared = Shared {
            statements: Selection::new(params.match_.as_ref(), params.exclude.as_ref(), options)?,
            users: Selection::new(
                params.user_match.as_ref(),
                params.user_exclude.as_ref(),
                options,
            )?,
            sources: Selection::new(
                params.source_match.as_ref(),
                params.source_exclude.as_ref(),
                options,
            )?,
            options: Arc::new(SinkOptions {
                header: columns.header(true),
                truncate: !params.append,
                flush: params.flush,
            }),
            session_options: Arc::new(SinkOptions {
                header: columns.header(false),
                truncate: !params.append,
                flush: params.flush,
            }),
            session_stem: has(LogType::Session).then(|| params.filebase.clone()),
            print: has(LogType::Stdout),
            canonical: params.use_canonical_form,
            user: params.user,
            source: params.source,
            sink,
            columns,
            unified,
        };
        Ok(QlaFilter {
            name: name.to_owned(),
            shared: Arc::new(shared),
        })
    }
}

impl Shared {
    /// Is anything of this session logged?
    fn concerns(&self, who: &Who<'_>) -> bool {
        let address = who.address.host();
        let by_user = match &self.user {
            Some(user) => who.user == user.as_bytes(),
            None => self.users.takes(who.user),
        };
        let by_source = match &self.source {
            Some(source) => address == *source,
            None => self.sources.takes(address.as_bytes()),
        };
        by_user && by_source
    }

    fn session_file(&self, who: &Who<'_>) -> Option<Arc<Path>> {
        let stem = self.session_stem.as_ref()?;
        Some(Arc::from(Path::new(&format!("{stem}.{}", who.session))))
    }
}

impl Filter for QlaFilter {
    fn name(&self) -> &str {
        &self.name
    }

    fn module(&self) -> &'static str {
        "qlafilter"
    }

    fn start(&self, who: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply> {
        if !self.shared.concerns(who) {
            return Ok(None);
        }
        let file = self.shared.session_file(who);
        if let Some(path) = &file
            && self.shared.sink.probe(path).is_err()
        {
            // An audit must not be skipped silently.
            let text = format!(
                "the statement log of filter '{}' cannot be opened",
                self.name
            );
            return Err(ErrReply::new(1105, b"HY000", text));
        }
        Ok(Some(Box::new(Log::new(Arc::clone(&self.shared), file))))
    }

    fn thaw(
        &self,
        who: &Who<'_>,
        from: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError> {
        let file = self.shared.session_file(who);
        Ok(Box::new(Log::thaw(Arc::clone(&self.shared), file, from)?))
    }
}
