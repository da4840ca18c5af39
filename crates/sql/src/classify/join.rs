//! Putting outcomes together: the statements of one text, and the two readings of one statement.

use super::facts::Facts;
use crate::effect::TrxEffect;
use crate::mask::TypeMask;
use crate::statement::{Parsed, Statement};

/// More statements of a text than this are not kept one by one. They count for the mask, and the
/// rest of the outcome says that it is not all.
const MAX_PARTS: usize = 64;

/// The statements of a text.
#[derive(Default)]
pub(super) struct Parts {
    kept: Vec<Statement>,
    /// What the others have in sum.
    others: Option<Statement>,
}

impl Parts {
    pub(super) fn add(&mut self, part: Statement) {
        if self.kept.len() < MAX_PARTS {
            self.kept.push(part);
            return;
        }
        let others = self.others.get_or_insert_default();
        add_flags(others, &part);
        others.mask |= part.mask;
    }

    /// The whole text, `broken` if it could not be read to its end.
    pub(super) fn finish(self, broken: bool) -> Statement {
        let mut whole = self.whole();
        if broken {
            whole.mask = (whole.mask - TypeMask::UNKNOWN) | TypeMask::WRITE;
            whole.parsed = Parsed::Invalid;
            whole.cacheable = false;
        }
        whole
    }

    fn whole(mut self) -> Statement {
        if self.kept.len() < 2 {
            return self.kept.pop().unwrap_or(Statement {
                mask: TypeMask::UNKNOWN,
                cacheable: true,
                repeatable: true,
                ..Statement::default()
            });
        }
        let mut whole = sum(self.kept.iter());
        if let Some(others) = &self.others {
            add_flags(&mut whole, others);
            whole.mask |= others.mask;
            whole.parsed = worse(whole.parsed, Parsed::Partial);
            whole.tables = crate::statement::TableUse::Many;
        }
        whole.multi = true;
        whole.operation = self
            .kept
            .first()
            .map(|first| first.operation)
            .unwrap_or_default();
        whole.trx = TrxEffect::Opaque;
        whole.parts = self.kept.into();
        whole
    }
}

/// Both readings of a text that some servers read one way and some the other. A reading without
/// any statement says nothing.
pub(super) fn both_readings(run: Statement, skip: Statement) -> Statement {
    if skip.mask == TypeMask::UNKNOWN {
        return run;
    }
    if run.mask == TypeMask::UNKNOWN {
        return skip;
    }
    let both = sum([&run, &skip].into_iter());
    Statement {
        operation: run.operation,
        multi: run.multi || skip.multi,
        trx: match (run.trx, skip.trx) {
            (one, other) if one == other => one,
            (TrxEffect::None, only) | (only, TrxEffect::None) => only,
            _ => TrxEffect::Opaque,
        },
        effect: run.effect.or(skip.effect),
        session_id_column: run
            .session_id_column
            .filter(|_| skip.session_id_column.is_some()),
        parts: if run.multi { run.parts } else { skip.parts },
        ..both
    }
}

/// Everything that adds up.
fn sum<'s>(statements: impl Iterator<Item = &'s Statement>) -> Statement {
    let mut facts = Facts::default();
    let mut sum = Statement {
        cacheable: true,
        repeatable: true,
        ..Statement::default()
    };
    for statement in statements {
        add_flags(&mut sum, statement);
        facts.add(statement);
    }
    facts.finish(&mut sum);
    sum
}

fn add_flags(sum: &mut Statement, other: &Statement) {
    sum.previous |= other.previous;
    sum.insert_id |= other.insert_id;
    sum.takes_user_lock |= other.takes_user_lock;
    sum.releases_user_locks |= other.releases_user_locks;
    sum.repeatable &= other.repeatable;
    sum.cacheable &= other.cacheable;
    sum.parsed = worse(sum.parsed, other.parsed);
}

pub(super) fn worse(one: Parsed, other: Parsed) -> Parsed {
    match (one, other) {
        (Parsed::Invalid, _) | (_, Parsed::Invalid) => Parsed::Invalid,
        (Parsed::Partial, _) | (_, Parsed::Partial) => Parsed::Partial,
        (Parsed::Full, Parsed::Full) => Parsed::Full,
    }
}
