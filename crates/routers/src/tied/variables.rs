//! User variables that not every server has alike: which connection has the value.
//!
//! A variable that nobody owns is the same everywhere. What one server alone has assigned is read
//! there; a value that was lost with its connection is an error, never another value.

use std::collections::BTreeMap;

use tidegate_session::TargetId;
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::router::{Course, TargetSet};
use tidegate_sql::Statement;

/// More variables than this are not told apart: what reads any goes to the primary then.
const MAX_NAMES: usize = 1000;

/// Where the value of a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    On(TargetId),
    /// Its connection is lost.
    Lost,
}

/// The variables that have an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    owners: BTreeMap<Box<[u8]>, Owner>,
    overflow: bool,
}

/// Where a statement finds the variables that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On every server, or it reads none.
    Anywhere,
    /// On this one alone.
    On(TargetId),
    /// On several, none of which has all; or nobody knows.
    Apart,
    /// The value of one of them is lost.
    Lost,
}

impl Variables {
    /// Is there none with an owner?
    pub(crate) fn is_empty(&self) -> bool {
        self.owners.is_empty() && !self.overflow
    }

    /// Is there a value that only one connection has?
    pub(crate) fn are_tied(&self) -> bool {
        self.overflow || self.owners.values().any(|owner| *owner != Owner::Lost)
    }

    /// The connections that alone have a value.
    pub(crate) fn owners(&self) -> TargetSet {
        let on = self.owners.values().filter_map(|owner| match owner {
            Owner::On(target) => Some(*target),
            Owner::Lost => None,
        });
        on.collect()
    }

    /// Where a statement finds what it reads.
    pub(crate) fn place(&self, statement: &Statement) -> Place {
        if self.is_empty() {
            return Place::Anywhere;
        }
        let mut place = Place::Anywhere;
        for variable in statement.variables.iter().filter(|variable| variable.read) {
            place = match (self.owners.get(&*variable.name), place) {
                (Some(Owner::Lost), _) => return Place::Lost,
                (Some(Owner::On(owner)), Place::Anywhere) => Place::On(*owner),
                (Some(Owner::On(owner)), Place::On(other)) if *owner == other => place,
                (Some(Owner::On(_)), _) => Place::Apart,
                (None, Place::Anywhere) if self.overflow => Place::Apart,
                (None, _) => place,
            };
        }
        place
    }

    /// A statement is on its way: what it assigns is the same everywhere, or the one server's that
    /// runs it, or whose answer counts.
    pub(crate) fn follow(&mut self, statement: &Statement, course: Course) {
        if !statement.variables.iter().any(|variable| variable.written) {
            return;
        }
        let (owner, to_all) = match course {
            Course::One(target) => (target, false),
            Course::All { answer, .. } => (answer, true),
        };
        let same = to_all && statement.repeatable && self.place(statement) == Place::Anywhere;
        for variable in statement
            .variables
            .iter()
            .filter(|variable| variable.written)
        {
            if same {
                self.owners.remove(&*variable.name);
            } else if self.owners.len() < MAX_NAMES || self.owners.contains_key(&*variable.name) {
                self.owners.insert(variable.name.clone(), Owner::On(owner));
            } else {
                self.overflow = true;
            }
        }
    }

    /// A connection is lost, with the values that only it had.
    pub(crate) fn lose(&mut self, target: TargetId) {
        for owner in self.owners.values_mut() {
            if *owner == Owner::On(target) {
                *owner = Owner::Lost;
            }
        }
    }

    /// Estimated memory.
    pub(crate) fn bytes(&self) -> usize {
        let entry = size_of::<(Box<[u8]>, Owner)>();
        self.owners.keys().map(|name| entry + name.len()).sum()
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.list(self.owners.iter(), |into, (name, owner)| {
            into.bytes(name);
            let target = match owner {
                Owner::On(target) => Some(target.0),
                Owner::Lost => None,
            };
            into.option(target, Encoder::u16);
        });
        into.flag(self.overflow);
    }

    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<Variables, FreezeError> {
        let owners = from.list(|from| {
            let name = Box::from(from.bytes()?);
            let target = from.option(Decoder::u16)?.map(TargetId);
            Ok((name, target.map_or(Owner::Lost, Owner::On)))
        })?;
        Ok(Variables {
            owners: owners.into_iter().collect(),
            overflow: from.flag()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use tidegate_sql::{Modes, classify};

    use super::*;

    const P: TargetId = TargetId(0);
    const R: TargetId = TargetId(1);

    /// Statements that went to one server, or to all with the primary's answer.
    fn after(script: &[(&str, Option<TargetId>)]) -> Variables {
        let mut variables = Variables::default();
        for (text, target) in script {
            let course = match target {
                Some(target) => Course::One(*target),
                None => Course::All {
                    to: TargetSet::one(P).with(R),
                    answer: P,
                },
            };
            variables.follow(&classify(text.as_bytes(), Modes::default()), course);
        }
        variables
    }

    #[track_caller]
    fn check(variables: &Variables, text: &str, expect: Place) {
        let statement = classify(text.as_bytes(), Modes::default());
        assert_eq!(variables.place(&statement), expect, "{text}");
    }

    #[test]
    fn a_variable_is_read_where_it_was_assigned() {
        let variables = after(&[
            ("INSERT INTO t VALUES (@i := 7)", Some(P)),
            ("SELECT MAX(id) INTO @r FROM t", Some(R)),
            ("SET @everywhere = 1", None),
            ("SET @now = (SELECT MAX(id) FROM t)", None),
        ]);
        check(&variables, "SELECT @i", Place::On(P));
        check(&variables, "SELECT @I, @now", Place::On(P));
        check(&variables, "SELECT @r", Place::On(R));
        check(&variables, "SELECT @r + @i", Place::Apart);
        check(&variables, "SELECT @everywhere, @never", Place::Anywhere);
    }

    #[test]
    fn assigned_everywhere_it_is_nobody_s_again() {
        let variables = after(&[
            ("INSERT INTO t VALUES (@i := 7)", Some(P)),
            ("SET @copy = @i", None),
            ("SET @i = 1", None),
        ]);
        check(&variables, "SELECT @i", Place::Anywhere);
        check(&variables, "SELECT @copy", Place::On(P));
    }

    #[test]
    fn a_lost_value_is_not_another_one() {
        let mut variables = after(&[("CALL p(@x)", Some(P)), ("SET @a = 1", None)]);
        check(&variables, "SELECT @x", Place::On(P));
        variables.lose(P);
        check(&variables, "SELECT @a, @x", Place::Lost);
        let course = Course::All {
            to: TargetSet::one(R),
            answer: R,
        };
        variables.follow(&classify(b"SET @x = 2", Modes::default()), course);
        check(&variables, "SELECT @x", Place::Anywhere);
    }

    #[test]
    fn too_many_are_looked_for_on_the_primary() {
        let mut variables = Variables::default();
        for n in 0..=MAX_NAMES {
            let text = format!("SELECT id INTO @v{n} FROM t");
            variables.follow(&classify(text.as_bytes(), Modes::default()), Course::One(R));
        }
        check(&variables, "SELECT @v0", Place::On(R));
        check(&variables, "SELECT @v1000", Place::Apart);
    }

    #[test]
    fn frozen_and_thawed_they_are_the_same() {
        let mut variables = after(&[("CALL p(@x)", Some(P)), ("CALL p(@y)", Some(R))]);
        variables.lose(P);
        let mut encoder = Encoder::default();
        variables.freeze(&mut encoder);
        let bytes = encoder.into_bytes();
        assert_eq!(Variables::thaw(&mut Decoder::new(&bytes)), Ok(variables));
    }
}
