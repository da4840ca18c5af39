//! The hints that a session keeps: named ones, and a stack of those in force.

use super::{Directive, Hint, HintError};
use std::collections::BTreeMap;

/// How many hints may be pushed at once.
pub const MAX_PUSHED: usize = 64;

/// How many named hints a session may define.
pub const MAX_NAMED: usize = 64;

/// The hints of one session. A reset of the session clears them: start a new one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HintStack {
    named: BTreeMap<Box<str>, Hint>,
    pushed: Vec<Hint>,
}

impl HintStack {
    /// Follows the directive of a statement; the hint that is for this statement alone, if it is
    /// one, comes back. It goes before [`HintStack::top`].
    ///
    /// # Errors
    /// [`HintError::Undefined`] for a name that has not been defined, [`HintError::Full`] at the
    /// limits; nothing changes then.
    pub fn apply(&mut self, directive: Directive) -> Result<Option<Hint>, HintError> {
        match directive {
            Directive::Once(hint) => return Ok(Some(hint)),
            Directive::Prepare { name, hint } => self.define(name, hint)?,
            Directive::Begin { name, hint } => self.begin(name, hint)?,
            Directive::End => {
                self.pushed.pop();
            }
        }
        Ok(None)
    }

    /// The newest pushed hint: it is in force for every statement until it is popped.
    #[must_use]
    pub fn top(&self) -> Option<&Hint> {
        self.pushed.last()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pushed.is_empty() && self.named.is_empty()
    }

    /// The named hints, in the order of their names, for whoever stores them.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Hint)> {
        self.named.iter().map(|(name, hint)| (&**name, hint))
    }

    /// The pushed hints, oldest first.
    #[must_use]
    pub fn pushed(&self) -> &[Hint] {
        &self.pushed
    }

    fn define(&mut self, name: Box<str>, hint: Hint) -> Result<(), HintError> {
        if self.named.len() >= MAX_NAMED && !self.named.contains_key(&name) {
            return Err(HintError::Full { limit: MAX_NAMED });
        }
        self.named.insert(name, hint);
        Ok(())
    }

    fn begin(&mut self, name: Option<Box<str>>, hint: Option<Hint>) -> Result<(), HintError> {
        if self.pushed.len() >= MAX_PUSHED {
            return Err(HintError::Full { limit: MAX_PUSHED });
        }
        let hint = match (name, hint) {
            (Some(name), Some(hint)) => {
                self.define(name, hint.clone())?;
                hint
            }
            (Some(name), None) => match self.named.get(&name) {
                Some(hint) => hint.clone(),
                None => return Err(HintError::Undefined { name }),
            },
            (None, Some(hint)) => hint,
            (None, None) => return Ok(()),
        };
        self.pushed.push(hint);
        Ok(())
    }
}
