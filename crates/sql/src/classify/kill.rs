//! KILL: the proxy runs it itself, so everything about it is read.

use super::Parser;
use crate::effect::{Kill, KillForce, SessionEffect, Victim};
use crate::keyword::Keyword as K;
use crate::lexer::Kind;
use crate::mask::TypeMask;
use crate::statement::Operation;

impl Parser<'_> {
    /// `KILL [HARD|SOFT] [CONNECTION|QUERY] n | USER name`, or `KILL [HARD|SOFT] QUERY ID n`.
    pub(super) fn kill(&mut self) {
        self.out.cacheable = false;
        self.out.operation = Operation::Kill;
        self.flag(TypeMask::WRITE);
        self.tokens.bump();
        let force = if self.tokens.eat(K::Hard) {
            Some(KillForce::Hard)
        } else if self.tokens.eat(K::Soft) {
            Some(KillForce::Soft)
        } else {
            None
        };
        let query_only = self.tokens.eat(K::Query);
        if !query_only {
            self.tokens.eat(K::Connection);
        }
        let victim = if query_only && self.tokens.eat(K::Id) {
            self.skip_rest();
            Victim::QueryId
        } else {
            self.victim()
        };
        let victim = if self.tokens.peek().is_end() {
            victim
        } else {
            Victim::Computed
        };
        self.out.effect = Some(SessionEffect::Kill(Kill {
            force,
            query_only,
            victim,
        }));
        self.skip_rest();
    }

    /// KILL amid a compound statement: the server runs it, to which a number is one of its own.
    pub(super) fn kill_amid(&mut self) {
        let before = self.out.effect.take();
        self.kill();
        match &mut self.out.effect {
            Some(SessionEffect::Kill(kill)) if matches!(kill.victim, Victim::Id(_)) => {
                kill.victim = Victim::Amid;
            }
            effect => *effect = before,
        }
    }

    fn victim(&mut self) -> Victim {
        if self.tokens.eat(K::User) {
            return self.killed_user();
        }
        let item = self.tokens.take();
        if item.is(K::ConnectionId) && self.eat_empty_parentheses() {
            return Victim::Own;
        }
        match (item.kind(), number(self.tokens.bytes(item))) {
            (Kind::Number, Some(id)) => Victim::Id(id),
            _ => Victim::Computed,
        }
    }

    fn eat_empty_parentheses(&mut self) -> bool {
        self.tokens.eat_punct(b'(') && self.tokens.eat_punct(b')')
    }

    fn killed_user(&mut self) -> Victim {
        if self.tokens.eat(K::CurrentUser) {
            self.eat_empty_parentheses();
            return Victim::CurrentUser;
        }
        let name = self.tokens.take();
        if !(name.is_name() || name.kind() == Kind::Text) {
            return Victim::Computed;
        }
        let host = (self.tokens.peek().kind() == Kind::UserVar).then(|| self.tokens.bump());
        Victim::User {
            name: self.tokens.content(name),
            host: host.map(|host| self.tokens.content(host)),
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
