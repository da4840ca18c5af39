//! Counting a session's statements by their texts.

use tidegate_sql::{Classified, Modes};
use tidegate_wire::Command;

use crate::digests::Place;
use crate::request::Request;
use crate::session::{Cx, Session};
use crate::stmts::PreparedText;

/// What a statement is called in statistics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) digest: u64,
    text: Text<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Text<'a> {
    /// Without its literals.
    Canonical(&'a [u8]),
    /// As it was prepared.
    Prepared(&'a [u8]),
}

impl<'a> Named<'a> {
    /// `None`: it is too long to have a name.
    pub(crate) fn of(classified: &Classified<'a>) -> Option<Named<'a>> {
        Some(Named {
            digest: classified.digest?,
            text: Text::Canonical(classified.canonical),
        })
    }

    fn write(&self, modes: Modes, out: &mut Vec<u8>) {
        match self.text {
            Text::Canonical(text) => {
                out.clear();
                out.extend_from_slice(text);
            }
            Text::Prepared(text) => tidegate_sql::canonical(text, modes, out),
        }
    }
}

impl PreparedText {
    /// What its executions are called in statistics.
    pub(crate) fn named(&self) -> Option<Named<'_>> {
        Some(Named {
            digest: self.digest?,
            text: Text::Prepared(&self.text),
        })
    }
}

impl Session {
    /// Finds the table of the session's service in its worker's book.
    pub(crate) fn find_digests(&mut self, cx: &mut Cx<'_>) {
        let service = &self.service;
        self.digests = cx.digests.table(&service.name, service.statement_digests);
    }

    /// Counts a statement that is being sent.
    #[inline]
    pub(crate) fn count_digest(
        &self,
        request: &Request<'_>,
        named: Option<Named<'_>>,
        cx: &mut Cx<'_>,
    ) -> Option<Place> {
        let table = self.digests?;
        request.statement?;
        let runs = matches!(
            request.command,
            Command::Query | Command::StmtExecute | Command::StmtBulkExecute
        );
        if !runs {
            return None;
        }
        let Some(named) = named else {
            cx.digests.sent_unnamed(table);
            return None;
        };
        let modes = self.modes;
        cx.digests
            .sent(table, named.digest, cx.wall, |out| named.write(modes, out))
    }
}
