//! The modes a text is read in: what a session's `sql_mode`, character set and server family
//! change about where strings, identifiers and functions begin and end.

use crate::effect::{SessionEffect, SqlMode, Value};
use crate::statement::Statement;

/// Server status bit: backslashes in strings are ordinary characters.
const STATUS_NO_BACKSLASH_ESCAPES: u16 = 0x0200;
/// MariaDB status bit: double quotes delimit identifiers.
const STATUS_ANSI_QUOTES: u16 = 0x8000;

/// Character sets whose second byte may be an ASCII character, a backslash among them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Multibyte {
    /// Every byte below 0x80 is an ASCII character: UTF-8, latin1 and most others.
    #[default]
    None,
    /// gbk.
    Gbk,
    /// gb18030.
    Gb18030,
    /// big5.
    Big5,
    /// sjis and cp932.
    Sjis,
}

impl Multibyte {
    /// What the character set (or collation) with this name is, in any letter case.
    #[must_use]
    pub fn of_charset(name: &[u8]) -> Multibyte {
        let is = |charset: &[u8]| {
            name.get(..charset.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(charset))
                && matches!(name.get(charset.len()), None | Some(b'_'))
        };
        if is(b"gbk") {
            Multibyte::Gbk
        } else if is(b"gb18030") {
            Multibyte::Gb18030
        } else if is(b"big5") {
            Multibyte::Big5
        } else if is(b"sjis") || is(b"cp932") {
            Multibyte::Sjis
        } else {
            Multibyte::None
        }
    }
}

/// The modes of the lexer, and the family of the servers the text is meant for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Modes {
    /// `sql_mode` holds ANSI_QUOTES: `"x"` is an identifier.
    pub ansi_quotes: bool,
    /// `sql_mode` holds NO_BACKSLASH_ESCAPES.
    pub no_backslash_escapes: bool,
    /// `sql_mode` holds ORACLE.
    pub oracle: bool,
    /// The servers are MySQL and its relatives, not MariaDB.
    pub mysql_family: bool,
    /// The client's character set, as far as it changes where a string ends.
    pub multibyte: Multibyte,
}

impl Modes {
    /// These modes with what a server's status word says about them. Both bits are in every OK and
    /// EOF packet; ANSI_QUOTES is reported by MariaDB alone.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Modes {
        self.no_backslash_escapes = status & STATUS_NO_BACKSLASH_ESCAPES != 0;
        if !self.mysql_family {
            self.ansi_quotes = status & STATUS_ANSI_QUOTES != 0;
        }
        self
    }

    /// The modes in force once `statement` has succeeded, as far as its text tells. A value that
    /// the text does not show leaves the modes alone: the status word will say.
    #[must_use]
    pub fn after(self, statement: &Statement) -> Modes {
        let own = match &statement.effect {
            Some(SessionEffect::Set(settings)) => settings
                .iter()
                .fold(self, |modes, setting| modes.after_setting(setting)),
            _ => self,
        };
        statement
            .parts
            .iter()
            .fold(own, |modes, part| modes.after(part))
    }

    fn after_setting(mut self, setting: &crate::effect::Setting) -> Modes {
        if !setting.scope.is_session() {
            return self;
        }
        match &*setting.name {
            b"sql_mode" => match SqlMode::of(&setting.value) {
                SqlMode::Unknown => {}
                SqlMode::Default => self.oracle = false,
                SqlMode::Known {
                    ansi_quotes,
                    no_backslash_escapes,
                    oracle,
                } => {
                    self.ansi_quotes = ansi_quotes;
                    self.no_backslash_escapes = no_backslash_escapes;
                    self.oracle = oracle;
                }
            },
            b"names" | b"character set" | b"character_set_client" => {
                self.multibyte = match &setting.value {
                    Value::Literal(name) => Multibyte::of_charset(name),
                    Value::Default | Value::Computed => Multibyte::None,
                };
            }
            _ => {}
        }
        self
    }

    /// The modes as one number, for keys.
    pub(crate) fn key(self) -> u8 {
        u8::from(self.ansi_quotes)
            | u8::from(self.no_backslash_escapes) << 1
            | u8::from(self.oracle) << 2
            | u8::from(self.mysql_family) << 3
            | (self.multibyte as u8) << 4
    }
}
