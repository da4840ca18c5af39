//! `SELECT CONNECTION_ID()` and `SELECT @@pseudo_thread_id`: the one question whose answer only the
//! proxy has, for each server knows the session by an id of its own.

use super::Parser;
use super::tokens::Tokens;
use crate::keyword::Keyword as K;
use crate::lexer::Kind;

impl Parser<'_> {
    /// Notes the column's name if the text, from here on, is exactly that question, with or
    /// without an alias. Nothing is taken.
    pub(super) fn ask_session_id(&mut self) {
        let mut tokens = self.tokens.clone();
        tokens.bump();
        let Some(question) = question(&mut tokens) else {
            return;
        };
        let explicit = tokens.eat(K::As);
        let next = tokens.peek();
        let is_text = next.kind() == Kind::Text;
        let name = if next.is_name() || is_text {
            tokens.bump();
            tokens.content(next)
        } else {
            question
        };
        if explicit && !(next.is_name() || is_text) {
            return;
        }
        while tokens.eat_punct(b';') {}
        if tokens.peek().kind() == Kind::End && !tokens.is_broken() {
            self.out.session_id_column = Some(name);
            // A string as alias is a literal that decides the answer.
            self.out.cacheable &= !is_text;
        }
    }
}

/// The function or variable, as the column of its value is called.
fn question(tokens: &mut Tokens<'_>) -> Option<Box<[u8]>> {
    if tokens.peek().kind() != Kind::SystemVar {
        let function = tokens.bump();
        let is_call =
            function.is(K::ConnectionId) && tokens.eat_punct(b'(') && tokens.eat_punct(b')');
        return is_call.then(|| [tokens.bytes(function), b"()"].concat().into());
    }
    tokens.bump();
    let mut written = b"@@".to_vec();
    if tokens.second().is_punct(b'.') {
        let scope = tokens.bump();
        if !(tokens.is_word(scope, "SESSION") || tokens.is_word(scope, "LOCAL")) {
            return None;
        }
        written.extend_from_slice(tokens.bytes(scope));
        written.push(b'.');
        tokens.bump();
    }
    let variable = tokens.bump();
    written.extend_from_slice(tokens.bytes(variable));
    tokens
        .is_word(variable, "PSEUDO_THREAD_ID")
        .then(|| written.into())
}
