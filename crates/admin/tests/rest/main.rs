//! The REST interface from outside: a real socket in front of a house that is plain memory.

#![allow(missing_docs, unreachable_pub)]

mod client;
mod conditions;
mod fake;
mod fuzz;
mod globals;
mod golden;
mod insight;
mod login;
mod objects;
mod seed;
mod sessions;
mod strict;
mod token;
mod wire;
