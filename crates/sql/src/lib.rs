//! Statement text: lexer, canonical form, classification, hints.
//!
//! What routing needs to know about a text before a server has seen it: which kinds of things it
//! does (a [`TypeMask`]), what it is predicted to change (the transaction, the session's state),
//! and under which canonical form it is remembered. Everything here is a pure function of bytes
//! and [`Modes`], or a plain value that changes by being told something.
//!
//! Left out on purpose: a grammar. A statement that a server would refuse may get any class; one
//! that a server would run must never look more harmless than it is. What is not understood is a
//! write, and goes to the primary.
//!
//! The truth about a session is what the servers' status words and session tracking say; all
//! predictions made here are to be corrected by them.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod cache;
mod canonical;
mod classify;
mod concern;
mod digest;
mod effect;
mod function;
pub mod hints;
mod keyword;
mod lexer;
mod mask;
mod modes;
mod prefix;
mod statement;
mod steps;
mod temporary;
mod tracker;
mod unquote;
mod words;

pub use cache::{Cache, CacheEntry, CacheStats, Classified};
pub use canonical::canonical;
pub use classify::{classify, classify_head};
pub use concern::{LOOKED_AT_BYTES, may_concern_sessions};
pub use digest::digest;
pub use effect::{
    Access, Hold, Isolation, Kill, KillForce, Scope, SessionEffect, Setting, SqlMode, TrxEffect,
    Value, Victim,
};
pub use mask::TypeMask;
pub use modes::{Modes, Multibyte};
pub use statement::{Operation, Parsed, Statement, TableName, TableUse, VariableUse};
pub use temporary::TempTables;
pub use tracker::TrxTracker;
