//! SET, assignment by assignment.

use super::Parser;
use super::transaction::access_flag;
use crate::effect::{Access, Isolation, Scope, SessionEffect, Setting, SqlMode, TrxEffect, Value};
use crate::keyword::Keyword as K;
use crate::lexer::Kind;
use crate::mask::TypeMask;
use crate::statement::Operation;

impl Parser<'_> {
    /// `SET STATEMENT variable = value, ... FOR`: what follows is the statement.
    pub(super) fn set_statement(&mut self) {
        self.out.cacheable = false;
        self.tokens.bump();
        self.tokens.bump();
        self.scan.until(&mut self.tokens, |item| item.is(K::For));
        self.tokens.eat(K::For);
    }

    pub(super) fn set(&mut self) {
        self.out.cacheable = false;
        self.out.operation = Operation::Set;
        self.tokens.bump();
        if let Some(scope) = self.transaction_scope() {
            return self.set_transaction(scope);
        }
        let mut settings = Vec::new();
        loop {
            if !self.assignment(&mut settings) {
                return self.invalid();
            }
            if !self.tokens.eat_punct(b',') {
                break;
            }
        }
        if !settings.is_empty() && self.out.effect.is_none() {
            self.out.effect = Some(SessionEffect::Set(settings.into()));
        }
        self.expect_end();
    }

    /// `[scope] TRANSACTION`, taken if it is there.
    fn transaction_scope(&mut self) -> Option<Option<Scope>> {
        if self.tokens.eat(K::Transaction) {
            return Some(None);
        }
        let scope = scope_of(self.tokens.peek().keyword)?;
        if !self.tokens.second().is(K::Transaction) {
            return None;
        }
        self.tokens.bump();
        self.tokens.bump();
        Some(Some(scope))
    }

    fn set_transaction(&mut self, scope: Option<Scope>) {
        self.out.operation = Operation::SetTransaction;
        let (mut access, mut isolation) = (Access::Unspecified, None);
        loop {
            if let Some(named) = self.access_mode() {
                access = named;
            } else if self.tokens.eat_two(K::Isolation, K::Level) {
                isolation = Some(self.isolation_level());
            } else {
                return self.invalid();
            }
            if !self.tokens.eat_punct(b',') {
                break;
            }
        }
        if scope == Some(Scope::Global) {
            self.flag(TypeMask::GSYSVAR_WRITE);
            return self.expect_end();
        }
        self.flag(access_flag(access));
        self.flag(match scope {
            None => TypeMask::NEXT_TRX,
            Some(_) => TypeMask::SESSION_WRITE,
        });
        self.out.trx = TrxEffect::SetTransaction {
            next_only: scope.is_none(),
            access,
            isolation,
        };
        self.expect_end();
    }

    fn isolation_level(&mut self) -> Isolation {
        if self.tokens.eat(K::Serializable) {
            return Isolation::Serializable;
        }
        // REPEATABLE READ, READ COMMITTED, READ UNCOMMITTED.
        self.tokens.take();
        self.tokens.take();
        Isolation::Other
    }

    /// One assignment; false when it is none.
    fn assignment(&mut self, settings: &mut Vec<Setting>) -> bool {
        let next = self.tokens.peek();
        let assigns =
            self.tokens.second().is_punct(b'=') || self.tokens.second().kind() == Kind::Assign;
        match next.keyword {
            Some(K::Password) => return self.account_write(),
            Some(K::Default) if self.tokens.second().is(K::Role) => return self.account_write(),
            Some(K::Names | K::Charset) if !assigns => return self.charset(1, settings),
            Some(K::Character) => return self.charset(2, settings),
            Some(K::Role) if !assigns => return self.identity(1, b"role", settings),
            Some(K::Session) if self.tokens.second().is(K::Authorization) => {
                return self.identity(2, b"session authorization", settings);
            }
            _ => {}
        }
        match next.kind() {
            Kind::UserVar => self.set_user_variable(settings),
            Kind::SystemVar | Kind::Word | Kind::Quoted => self.set_system_variable(settings),
            _ => false,
        }
    }

    /// SET PASSWORD and SET DEFAULT ROLE change accounts, not the session.
    fn account_write(&mut self) -> bool {
        self.flag(TypeMask::WRITE);
        self.out.trx = TrxEffect::ImplicitCommit;
        self.out.effect = Some(SessionEffect::Accounts);
        self.skip_rest();
        true
    }

    /// NAMES, CHARSET, CHARACTER SET: the name and an optional COLLATE.
    fn charset(&mut self, words: usize, settings: &mut Vec<Setting>) -> bool {
        let is_names = self.tokens.is(K::Names);
        for _ in 0..words {
            self.tokens.bump();
        }
        let value = self.single_value();
        if self.tokens.eat(K::Collate) {
            self.tokens.take();
        }
        let name: &[u8] = if is_names { b"names" } else { b"character set" };
        self.session_setting(Scope::Session, name, value, settings);
        true
    }

    /// SET ROLE, SET SESSION AUTHORIZATION.
    fn identity(&mut self, words: usize, name: &[u8], settings: &mut Vec<Setting>) -> bool {
        for _ in 0..words {
            self.tokens.bump();
        }
        let value = self.single_value();
        if self.tokens.peek().kind() == Kind::UserVar {
            self.tokens.bump();
        }
        self.session_setting(Scope::Session, name, value, settings);
        true
    }

    fn session_setting(
        &mut self,
        scope: Scope,
        name: &[u8],
        value: Value,
        settings: &mut Vec<Setting>,
    ) {
        self.flag(TypeMask::SESSION_WRITE);
        settings.push(Setting {
            scope,
            name: name.into(),
            value,
        });
    }

    fn set_user_variable(&mut self, settings: &mut Vec<Setting>) -> bool {
        let variable = self.tokens.bump();
        let name = self.tokens.content(variable);
        self.scan.facts.variable(&name, true);
        let Some(value) = self.assigned_value() else {
            return false;
        };
        self.session_setting(Scope::User, &name, value, settings);
        true
    }

    fn set_system_variable(&mut self, settings: &mut Vec<Setting>) -> bool {
        let marked = self.tokens.peek().kind() == Kind::SystemVar;
        if marked {
            self.tokens.bump();
        }
        let mut scope = Scope::Unscoped;
        if let Some(named) = scope_of(self.tokens.peek().keyword)
            && self.tokens.second().is_punct(b'.') == marked
        {
            scope = named;
            self.tokens.bump();
            if marked {
                self.tokens.bump();
            }
        }
        let name = self.tokens.take();
        if !name.is_name() {
            return false;
        }
        let name = self.tokens.content(name).to_ascii_lowercase();
        while self.tokens.eat_punct(b'.') {
            // The component of a structured variable.
            self.tokens.take();
        }
        let Some(value) = self.assigned_value() else {
            return false;
        };
        if scope == Scope::Global {
            self.flag(TypeMask::GSYSVAR_WRITE);
        } else {
            self.interpret(&name, &value);
            self.flag(TypeMask::SESSION_WRITE);
        }
        settings.push(Setting {
            scope,
            name: name.into(),
            value,
        });
        true
    }

    /// What a session variable means for transactions.
    fn interpret(&mut self, name: &[u8], value: &Value) {
        match name {
            b"autocommit" => {
                if let Some(on) = value.as_switch() {
                    self.autocommit(on);
                }
            }
            b"sql_mode" => self.sql_mode(value),
            b"tx_read_only" | b"transaction_read_only" => {
                let access = match value.as_switch() {
                    Some(true) => Access::ReadOnly,
                    Some(false) => Access::ReadWrite,
                    None => Access::Unspecified,
                };
                self.flag(access_flag(access));
                self.characteristic(access, None);
            }
            b"tx_isolation" | b"transaction_isolation" => {
                let isolation = match value {
                    Value::Literal(level) if level.eq_ignore_ascii_case(b"SERIALIZABLE") => {
                        Isolation::Serializable
                    }
                    _ => Isolation::Other,
                };
                self.characteristic(Access::Unspecified, Some(isolation));
            }
            _ => {}
        }
    }

    fn characteristic(&mut self, access: Access, isolation: Option<Isolation>) {
        if self.out.trx == TrxEffect::None {
            self.out.trx = TrxEffect::SetTransaction {
                next_only: false,
                access,
                isolation,
            };
        } else {
            self.out.trx = TrxEffect::Opaque;
        }
    }

    fn autocommit(&mut self, on: bool) {
        if on {
            self.flag(TypeMask::ENABLE_AUTOCOMMIT | TypeMask::COMMIT);
            self.out.trx = TrxEffect::AutocommitOn;
        } else {
            self.flag(TypeMask::DISABLE_AUTOCOMMIT | TypeMask::BEGIN_TRX);
            self.out.trx = TrxEffect::AutocommitOff;
        }
    }

    /// MaxScale takes sql_mode ORACLE to switch autocommit off, and DEFAULT to switch it back on.
    /// Servers do neither: the next status word puts the prediction right.
    fn sql_mode(&mut self, value: &Value) {
        match SqlMode::of(value) {
            SqlMode::Known { oracle: true, .. } => self.autocommit(false),
            SqlMode::Default if self.modes().oracle => self.autocommit(true),
            _ => {}
        }
    }

    /// `= value` or `:= value`; `None` without the sign.
    fn assigned_value(&mut self) -> Option<Value> {
        let sign = self.tokens.take();
        if !(sign.is_punct(b'=') || sign.kind() == Kind::Assign) {
            return None;
        }
        let second = self.tokens.second();
        let is_single = second.is_end() || second.is_punct(b',');
        if is_single && is_literal(self.tokens.peek().kind()) {
            return Some(self.single_value());
        }
        self.scan
            .until(&mut self.tokens, |item| item.is_punct(b','));
        Some(Value::Computed)
    }

    /// The next token as a value.
    fn single_value(&mut self) -> Value {
        let item = self.tokens.take();
        if item.is(K::Default) {
            return Value::Default;
        }
        if !is_literal(item.kind()) {
            return Value::Computed;
        }
        Value::Literal(self.tokens.content(item))
    }
}

fn is_literal(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Word | Kind::Name | Kind::Quoted | Kind::Text | Kind::Number | Kind::Hex
    )
}

fn scope_of(keyword: Option<K>) -> Option<Scope> {
    match keyword? {
        K::Session | K::Local => Some(Scope::Session),
        K::Global | K::Persist | K::PersistOnly => Some(Scope::Global),
        _ => None,
    }
}
