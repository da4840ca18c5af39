//! BEGIN, COMMIT, ROLLBACK, savepoints, XA.

use super::Parser;
use crate::effect::{Access, TrxEffect};
use crate::keyword::Keyword as K;
use crate::mask::TypeMask;

impl Parser<'_> {
    pub(super) fn transaction(&mut self, keyword: K) {
        match keyword {
            K::Begin => self.begin(),
            K::Start => self.start(),
            K::Commit => self.commit(),
            K::Rollback => self.rollback(),
            K::Xa => self.xa(),
            _ => self.plain_write(),
        }
    }

    /// BEGIN opens a transaction; BEGIN NOT ATOMIC, and BEGIN in sql_mode ORACLE, a block.
    fn begin(&mut self) {
        if self.modes().oracle || self.tokens.second().is(K::Not) {
            return self.compound();
        }
        self.tokens.bump();
        self.tokens.eat(K::Work);
        self.opens(Access::Unspecified);
        self.expect_end();
    }

    fn opens(&mut self, access: Access) {
        self.flag(TypeMask::BEGIN_TRX | access_flag(access));
        self.out.trx = TrxEffect::Begin { access };
    }

    /// START TRANSACTION; the rest of START is administration.
    fn start(&mut self) {
        self.tokens.bump();
        if !self.tokens.eat(K::Transaction) {
            return self.committing_write();
        }
        let mut access = Access::Unspecified;
        while !self.tokens.peek().is_end() {
            if let Some(named) = self.access_mode() {
                access = named;
            } else if self.tokens.eat_two(K::With, K::Consistent) {
                self.tokens.eat(K::Snapshot);
            } else {
                return self.invalid();
            }
            if !self.tokens.eat_punct(b',') {
                break;
            }
        }
        self.opens(access);
        self.expect_end();
    }

    /// READ ONLY or READ WRITE.
    pub(super) fn access_mode(&mut self) -> Option<Access> {
        if self.tokens.eat_two(K::Read, K::Only) {
            Some(Access::ReadOnly)
        } else if self.tokens.eat_two(K::Read, K::Write) {
            Some(Access::ReadWrite)
        } else {
            None
        }
    }

    fn commit(&mut self) {
        self.tokens.bump();
        self.tokens.eat(K::Work);
        self.flag(TypeMask::COMMIT);
        let (chain, release) = self.completion();
        self.out.trx = TrxEffect::Commit { chain, release };
        self.expect_end();
    }

    fn rollback(&mut self) {
        self.tokens.bump();
        self.tokens.eat(K::Work);
        if self.tokens.is(K::To) {
            return self.plain_write();
        }
        self.flag(TypeMask::ROLLBACK);
        let (chain, release) = self.completion();
        self.out.trx = TrxEffect::Rollback { chain, release };
        self.expect_end();
    }

    /// `[AND [NO] CHAIN] [[NO] RELEASE]`: whether to chain, whether to release.
    fn completion(&mut self) -> (bool, bool) {
        let mut chain = false;
        if self.tokens.eat(K::And) {
            let no = self.tokens.eat(K::No);
            chain = self.tokens.eat(K::Chain) && !no;
        }
        let no = self.tokens.eat(K::No);
        let release = self.tokens.eat(K::Release) && !no;
        if chain {
            self.flag(TypeMask::BEGIN_TRX);
        }
        (chain, release)
    }

    fn xa(&mut self) {
        self.tokens.bump();
        let verb = self.tokens.bump();
        match verb.keyword {
            Some(K::Start | K::Begin) => {
                self.flag(TypeMask::BEGIN_TRX | TypeMask::READWRITE);
                self.out.trx = TrxEffect::XaStart;
            }
            Some(K::End) => {
                self.flag(TypeMask::COMMIT);
                self.out.trx = TrxEffect::XaEnd;
            }
            Some(K::Prepare | K::Commit | K::Rollback) => {
                self.flag(TypeMask::WRITE);
                self.out.trx = TrxEffect::XaFinish;
            }
            _ => self.flag(TypeMask::WRITE),
        }
        self.skip_rest();
    }
}

/// The flag of an access mode.
pub(super) fn access_flag(access: Access) -> TypeMask {
    match access {
        Access::Unspecified => TypeMask::NONE,
        Access::ReadOnly => TypeMask::READONLY,
        Access::ReadWrite => TypeMask::READWRITE,
    }
}
