//! The walk over expressions: it looks for what decides a route wherever it may hide, at any
//! depth, and notes the tables and user variables on the way.
//!
//! It does not parse: a misplaced word is the server's to refuse. What it must not do is to take
//! something for harmless that a server would run.

use super::facts::Facts;
use super::tokens::{Item, Tokens};
use crate::function::Call;
use crate::keyword::Keyword as K;
use crate::lexer::Kind;
use crate::mask::TypeMask;
use crate::modes::Modes;
use crate::statement::TableName;

/// Parentheses nested deeper than this are not followed; the servers' own limits are near.
const MAX_DEPTH: usize = 4096;

/// What is known about one level of parentheses.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    /// A SELECT stands in it: its FROM names tables.
    pub(super) select: bool,
    /// Inside a list of tables.
    pub(super) from: bool,
    /// A table's name comes next.
    pub(super) table: bool,
    /// Inside the list of a WITH.
    pub(super) with: bool,
    /// The arguments of a CALL.
    pub(super) arguments: bool,
}

/// The walk.
pub(super) struct Scan {
    modes: Modes,
    pub(super) facts: Facts,
    top: Frame,
    outer: Vec<Frame>,
    /// The parentheses do not match, or are too many.
    pub(super) lost: bool,
}

impl Scan {
    pub(super) fn new(modes: Modes) -> Scan {
        Scan {
            modes,
            facts: Facts::default(),
            top: Frame::default(),
            outer: Vec::new(),
            lost: false,
        }
    }

    /// What is known about the level that the walk is in.
    pub(super) fn top(&mut self) -> &mut Frame {
        &mut self.top
    }

    /// How many parentheses the walk is in.
    pub(super) fn depth(&self) -> usize {
        self.outer.len()
    }

    /// Whether the walk is inside parentheses.
    pub(super) fn is_nested(&self) -> bool {
        !self.outer.is_empty()
    }

    /// Walks on to the end of the statement.
    pub(super) fn rest(&mut self, tokens: &mut Tokens<'_>) {
        self.until(tokens, |_| false);
    }

    /// Walks on to the end of the statement, or to a token outside parentheses at which `stop`
    /// says so; that one is not taken.
    pub(super) fn until(&mut self, tokens: &mut Tokens<'_>, stop: impl Fn(Item) -> bool) {
        loop {
            let next = tokens.peek();
            match next.kind() {
                Kind::End => break,
                Kind::Punct(b';') if !self.is_nested() => break,
                _ if !self.is_nested() && stop(next) => return,
                _ => self.step(tokens),
            }
        }
        self.lost |= self.is_nested();
    }

    /// Walks over one token.
    pub(super) fn step(&mut self, tokens: &mut Tokens<'_>) {
        crate::steps::tick(1);
        let before = tokens.previous();
        let item = tokens.bump();
        match item.kind() {
            Kind::Punct(byte) => self.punct(byte),
            Kind::UserVar => self.user_variable(tokens, before, item),
            Kind::SystemVar => self.system_variable(tokens),
            Kind::Word => match item.keyword {
                Some(keyword) => self.keyword(tokens, keyword, before, item),
                None => self.name(tokens, before, item),
            },
            Kind::Name | Kind::Quoted => self.name(tokens, before, item),
            _ => {}
        }
    }

    fn punct(&mut self, byte: u8) {
        match byte {
            b'(' => self.open(),
            b')' => match self.outer.pop() {
                Some(frame) => self.top = frame,
                None => self.lost = true,
            },
            b',' => self.top.table = self.top.from,
            _ => {}
        }
    }

    /// Enters a level of parentheses.
    pub(super) fn open(&mut self) {
        if self.outer.len() >= MAX_DEPTH {
            self.lost = true;
            return;
        }
        let inner = Frame {
            from: self.top.table,
            table: self.top.table,
            ..Frame::default()
        };
        self.top.table = false;
        self.outer.push(self.top);
        self.top = inner;
    }

    fn user_variable(&mut self, tokens: &mut Tokens<'_>, before: Item, item: Item) {
        let next = tokens.peek();
        let is_argument = self.top.arguments
            && (before.is_punct(b'(') || before.is_punct(b','))
            && (next.is_punct(b')') || next.is_punct(b','));
        let written = next.kind() == Kind::Assign || is_argument;
        self.facts.variable(&tokens.content(item), written);
    }

    fn system_variable(&mut self, tokens: &mut Tokens<'_>) {
        self.facts.varies = true;
        if !tokens.peek().is_name() {
            self.facts.mask |= TypeMask::WRITE;
            return;
        }
        let first = tokens.bump();
        let mut name = first;
        while tokens.peek().is_punct(b'.') && tokens.second().is_name() {
            tokens.bump();
            name = tokens.bump();
        }
        self.facts.mask |= if tokens.is_word(first, "GLOBAL") {
            TypeMask::GSYSVAR_READ
        } else {
            TypeMask::SYSVAR_READ
        };
        let name = tokens.content(name);
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if is("LAST_INSERT_ID") || is("IDENTITY") {
            self.facts.insert_id = true;
            self.facts.mask |= TypeMask::MASTER_READ;
        }
        self.facts.previous |= is("WARNING_COUNT") || is("ERROR_COUNT");
    }

    fn keyword(&mut self, tokens: &mut Tokens<'_>, keyword: K, before: Item, item: Item) {
        match keyword {
            K::Select => {
                self.top = Frame {
                    select: true,
                    ..Frame::default()
                };
            }
            K::With if is_list_of_with(tokens) => self.top.with = true,
            K::From if self.top.select => self.tables_follow(),
            K::Join | K::StraightJoin if self.top.from && !before.is(K::For) => {
                self.tables_follow();
            }
            K::Where
            | K::Group
            | K::Having
            | K::Order
            | K::Limit
            | K::Window
            | K::Union
            | K::Except
            | K::Intersect
            | K::Set => {
                self.top.from = false;
                self.top.table = false;
            }
            K::Procedure => {
                tokens.eat(K::Analyse);
            }
            K::Into => self.into(tokens),
            K::For => {
                if tokens.is(K::Update) || tokens.is(K::Share) {
                    self.facts.mask |= TypeMask::WRITE;
                }
            }
            K::Lock => {
                if tokens.is(K::In) {
                    self.facts.mask |= TypeMask::WRITE;
                }
            }
            K::Next if is_value_for(tokens) => self.facts.mask |= TypeMask::WRITE,
            K::Previous if is_value_for(tokens) => self.facts.mask |= TypeMask::MASTER_READ,
            K::Sql if tokens.peek().is_punct(b'%') && tokens.second().is(K::Rowcount) => {
                self.facts.previous = true;
            }
            K::Lateral | K::Recursive => {}
            _ => self.name(tokens, before, item),
        }
    }

    fn tables_follow(&mut self) {
        self.top.from = true;
        self.top.table = true;
    }

    /// `INTO OUTFILE`, `INTO DUMPFILE`, `INTO @x, @y`.
    fn into(&mut self, tokens: &mut Tokens<'_>) {
        if tokens.is(K::Outfile) || tokens.is(K::Dumpfile) {
            self.facts.mask |= TypeMask::WRITE;
        }
        while tokens.peek().kind() == Kind::UserVar {
            let variable = tokens.bump();
            self.facts.variable(&tokens.content(variable), true);
            if tokens.peek().is_punct(b',') && tokens.second().kind() == Kind::UserVar {
                tokens.bump();
            }
        }
    }

    fn name(&mut self, tokens: &mut Tokens<'_>, before: Item, item: Item) {
        let is_call = tokens.peek().is_punct(b'(');
        if self.top.with && (before.is_punct(b',') || before.is(K::With) || before.is(K::Recursive))
        {
            return;
        }
        if self.top.table {
            self.top.table = false;
            if !is_call {
                let table = table_name(tokens, item);
                self.facts.table(table);
                return;
            }
        }
        if is_call {
            self.call(tokens, before, item);
        } else if self.modes.oracle && before.is_punct(b'.') {
            self.sequence_column(tokens, item);
        }
    }

    /// A name with a parenthesis behind it.
    fn call(&mut self, tokens: &Tokens<'_>, before: Item, item: Item) {
        let call = if before.is_punct(b'.') {
            Call::Unknown
        } else if before.is(K::As) || ends_operand(before) || tokens.second().is(K::Select) {
            Call::Syntax
        } else if item.kind() == Kind::Quoted {
            match Call::of(&tokens.content(item), self.modes.mysql_family) {
                Call::Syntax => Call::Unknown,
                built_in => built_in,
            }
        } else {
            Call::of(tokens.bytes(item), self.modes.mysql_family)
        };
        self.facts.insert_id |=
            call == Call::Primary && tokens.bytes(item).eq_ignore_ascii_case(b"LAST_INSERT_ID");
        self.called(call);
    }

    fn called(&mut self, call: Call) {
        let facts = &mut self.facts;
        facts.varies |= !matches!(call, Call::Syntax | Call::Same);
        match call {
            Call::Syntax | Call::Same | Call::Varies => {}
            Call::Primary => facts.mask |= TypeMask::MASTER_READ,
            Call::TakeLock => {
                facts.mask |= TypeMask::MASTER_READ;
                facts.takes_user_lock = true;
            }
            Call::DropLocks => {
                facts.mask |= TypeMask::MASTER_READ;
                facts.releases_user_locks = true;
            }
            Call::Previous => facts.previous = true,
            Call::Unknown => facts.mask |= TypeMask::WRITE,
        }
    }

    /// `sequence.nextval` and `sequence.currval`, in sql_mode ORACLE.
    fn sequence_column(&mut self, tokens: &Tokens<'_>, item: Item) {
        if tokens.is_word(item, "NEXTVAL") {
            self.facts.mask |= TypeMask::WRITE;
        } else if tokens.is_word(item, "CURRVAL") {
            self.facts.mask |= TypeMask::MASTER_READ;
        }
    }
}

/// The possibly qualified table name that begins with `first`.
pub(super) fn table_name(tokens: &mut Tokens<'_>, first: Item) -> TableName {
    let mut table = TableName {
        schema: None,
        name: tokens.name(first),
    };
    while tokens.peek().is_punct(b'.') && tokens.second().is_name() {
        tokens.bump();
        let next = tokens.bump();
        table = TableName {
            schema: Some(table.name),
            name: tokens.content(next),
        };
    }
    table
}

/// A token after which no function call can stand: a name with a parenthesis behind it is an alias
/// with columns, or a type. A word is no such token, for it may be a keyword unknown here.
fn ends_operand(item: Item) -> bool {
    matches!(
        item.kind(),
        Kind::Punct(b')')
            | Kind::Text
            | Kind::National
            | Kind::Hex
            | Kind::Number
            | Kind::Param
            | Kind::UserVar
            | Kind::Quoted
    )
}

/// `VALUE FOR`, behind NEXT or PREVIOUS.
fn is_value_for(tokens: &Tokens<'_>) -> bool {
    tokens.is(K::Value) && tokens.second().is(K::For)
}

/// Whether WITH is followed by the name of a common table expression.
fn is_list_of_with(tokens: &Tokens<'_>) -> bool {
    tokens.is(K::Recursive)
        || tokens.peek().is_name() && (tokens.second().is(K::As) || tokens.second().is_punct(b'('))
}
