//! `hintfilter`: the first comment of a statement, if it begins with `maxscale`, says where the
//! statement should go.
//!
//! Leaves out on purpose: obeying. Routers do that, or not. The comment stays in the statement.
//!
//! Invariant: whatever stands in a comment, the statement itself goes on unchanged.

mod params;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tidegate_session::filter::{Filter, FilterScene, FilterSession, Verdict, Wants, Who};
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::Request;
use tidegate_session::{ClientStmtId, ErrReply};
use tidegate_sql::Modes;
use tidegate_sql::hints::{self, Directive, Hint, HintStack, Route};
use tidegate_wire::Command;

pub use params::{HintFilterParams, MODULE};

/// A configured `hintfilter`.
#[derive(Debug)]
pub struct HintFilter {
    name: String,
}

impl HintFilter {
    /// With this name.
    #[must_use]
    pub fn new(name: &str) -> HintFilter {
        HintFilter {
            name: name.to_owned(),
        }
    }
}

impl Filter for HintFilter {
    fn name(&self) -> &str {
        &self.name
    }

    fn module(&self) -> &'static str {
        "hintfilter"
    }

    fn start(&self, _who: &Who<'_>) -> Result<Option<Box<dyn FilterSession>>, ErrReply> {
        Ok(Some(Box::new(Hints::default())))
    }

    fn thaw(
        &self,
        _who: &Who<'_>,
        from: &mut Decoder<'_>,
    ) -> Result<Box<dyn FilterSession>, FreezeError> {
        Ok(Box::new(Hints::thaw(from)?))
    }
}

/// The hints of one session.
#[derive(Debug, Default)]
struct Hints {
    stack: HintStack,
    /// What the texts of binary prepared statements say, for their executions.
    prepared: BTreeMap<ClientStmtId, Hint>,
}

impl Hints {
    /// What a statement's own comment says, and what it does to the stack.
    fn read(&mut self, text: &[u8], scene: &FilterScene<'_>) -> Option<Hint> {
        let comment = hints::find(text, Modes::default())?;
        let directive = match hints::parse(comment) {
            Ok(directive) => directive?,
            Err(error) => {
                scene.warn(format!("hint ignored: {error}"));
                return None;
            }
        };
        match self.stack.apply(directive) {
            Ok(once) => once,
            Err(error) => {
                scene.warn(format!("hint ignored: {error}"));
                None
            }
        }
    }

    /// The hint in a prepared text, which must not touch the stack at each execution.
    fn of_prepared(&mut self, id: ClientStmtId, text: &[u8]) -> Option<Hint> {
        if let Some(known) = self.prepared.get(&id) {
            return Some(known.clone());
        }
        let comment = hints::find(text, Modes::default())?;
        let Ok(Some(Directive::Once(hint))) = hints::parse(comment) else {
            return None;
        };
        self.prepared.insert(id, hint.clone());
        Some(hint)
    }

    fn thaw(from: &mut Decoder<'_>) -> Result<Hints, FreezeError> {
        let mut hints = Hints::default();
        let named = from.list(|from| Ok((from.text()?, thaw_hint(from)?)))?;
        let pushed = from.list(thaw_hint)?;
        let damaged = |_| FreezeError::Value {
            what: "a number of hints",
            value: u64::MAX,
        };
        for (name, hint) in named {
            hints
                .stack
                .apply(Directive::Prepare {
                    name: name.into(),
                    hint,
                })
                .map_err(damaged)?;
        }
        for hint in pushed {
            hints
                .stack
                .apply(Directive::Begin {
                    name: None,
                    hint: Some(hint),
                })
                .map_err(damaged)?;
        }
        let prepared = from.list(|from| Ok((ClientStmtId(from.u32()?), thaw_hint(from)?)))?;
        hints.prepared = prepared.into_iter().collect();
        Ok(hints)
    }
}

impl FilterSession for Hints {
    fn wants(&self) -> Wants {
        Wants {
            requests: true,
            replies: false,
            statements: false,
        }
    }

    fn on_request(
        &mut self,
        request: &Request<'_>,
        hints: &mut Vec<Hint>,
        scene: &FilterScene<'_>,
    ) -> Verdict {
        let own = match (request.command, request.prepared) {
            (Command::Query, _) => self.read(request.text, scene),
            (Command::StmtClose, Some(id)) => {
                self.prepared.remove(&id);
                None
            }
            (_, Some(id)) => self.of_prepared(id, request.text),
            _ => None,
        };
        let carries_text = matches!(request.command, Command::Query) || request.prepared.is_some();
        // The newest is looked at first: the statement's own stands above the stack.
        if carries_text && request.command != Command::StmtClose {
            hints.extend(self.stack.top().cloned());
            hints.extend(own);
        }
        Verdict::Pass
    }

    fn reset(&mut self) {
        *self = Hints::default();
    }

    fn freeze(&self, into: &mut Encoder) {
        let named: Vec<_> = self.stack.named().collect();
        into.list(named.into_iter(), |into, (name, hint)| {
            into.bytes(name.as_bytes());
            freeze_hint(into, hint);
        });
        into.list(self.stack.pushed().iter(), freeze_hint);
        into.list(self.prepared.iter(), |into, (id, hint)| {
            into.u32(id.0);
            freeze_hint(into, hint);
        });
    }
}

fn freeze_hint(into: &mut Encoder, hint: &Hint) {
    match hint {
        Hint::Route(Route::Master) => into.u8(0),
        Hint::Route(Route::Slave) => into.u8(1),
        Hint::Route(Route::Last) => into.u8(2),
        Hint::Route(Route::All) => into.u8(3),
        Hint::Route(Route::Server(name)) => {
            into.u8(4);
            into.bytes(name.as_bytes());
        }
        Hint::Parameter { name, value } => {
            into.u8(5);
            into.bytes(name.as_bytes());
            into.bytes(value.as_bytes());
        }
    }
}

fn thaw_hint(from: &mut Decoder<'_>) -> Result<Hint, FreezeError> {
    Ok(match from.u8()? {
        0 => Hint::Route(Route::Master),
        1 => Hint::Route(Route::Slave),
        2 => Hint::Route(Route::Last),
        3 => Hint::Route(Route::All),
        4 => Hint::Route(Route::Server(from.text()?.into())),
        5 => Hint::Parameter {
            name: from.text()?.into(),
            value: from.text()?.into(),
        },
        value => {
            return Err(FreezeError::Value {
                what: "a hint",
                value: u64::from(value),
            });
        }
    })
}
