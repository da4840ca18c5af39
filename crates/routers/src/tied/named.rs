//! Statements that were prepared by name: EXECUTE goes where the prepared text would go.
//!
//! What is not known here, because the text was no literal or there are too many, is executed on the
//! primary.

use std::collections::BTreeMap;

use tidegate_session::request::Request;
use tidegate_sql::{Operation, SessionEffect, Statement};
use tidegate_wire::Command;

/// The most that are kept.
const MAX_NAMES: usize = 200;

/// The prepared statements of a session, by name in lower case.
#[derive(Debug, Default)]
pub(crate) struct Named(BTreeMap<Box<[u8]>, Box<Statement>>);

impl Named {
    /// What an EXECUTE executes, if that is known.
    pub(super) fn executed<'a>(&'a self, statement: &'a Statement) -> Option<&'a Statement> {
        match &statement.effect {
            Some(SessionEffect::ExecuteImmediate { inner }) => inner.as_deref(),
            _ => self.prepared(statement),
        }
    }

    /// What was prepared by the name that an EXECUTE says.
    fn prepared(&self, statement: &Statement) -> Option<&Statement> {
        match &statement.effect {
            Some(SessionEffect::Execute { name, .. }) => self
                .0
                .get(&*name.to_ascii_lowercase())
                .map(|inner| &**inner),
            _ => None,
        }
    }

    /// The request as routing looks at it, an EXECUTE being what it executes; `None`: it is what it
    /// says.
    #[inline]
    pub(crate) fn resolve<'a>(&'a self, request: &Request<'a>) -> Option<Request<'a>> {
        let named = request.command == Command::Query && !self.0.is_empty();
        let executed = self.prepared(request.statement.filter(|_| named)?)?;
        Some(Request {
            statement: Some(executed),
            ..*request
        })
    }

    /// A statement is on its way.
    pub(crate) fn follow(&mut self, statement: &Statement) {
        if self.0.is_empty() && statement.effect.is_none() {
            return;
        }
        // A procedure may prepare another of the same name, and several statements only go to one
        // server.
        if statement.operation == Operation::Call {
            self.0.clear();
        }
        for part in &statement.parts {
            self.follow(part);
            if let Some(SessionEffect::Prepare { name, .. }) = &part.effect {
                self.0.remove(&*name.to_ascii_lowercase());
            }
        }
        match &statement.effect {
            Some(SessionEffect::Prepare { name, inner }) => {
                let name = name.to_ascii_lowercase();
                match inner {
                    Some(inner) if self.0.len() < MAX_NAMES || self.0.contains_key(&*name) => {
                        self.0.insert(name.into(), inner.clone());
                    }
                    _ => drop(self.0.remove(&*name)),
                }
            }
            Some(SessionEffect::Deallocate(name)) => {
                self.0.remove(&*name.to_ascii_lowercase());
            }
            _ => {}
        }
    }
}
