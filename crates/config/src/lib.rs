//! Parameters declared once, the configuration file, secrets.
//!
//! A parameter stands in one place, a [`params!`] block; from there come its field in a
//! structure, file parsing, validation with suggestions, REST values and metadata, printed
//! files and the reference page. Modules declare theirs in their own crates and hand them
//! over in a [`Registry`].
//!
//! [`load`] turns files into a [`Config`] or into [`Errors`]: all that is wrong, each with
//! file, line and remedy. Values have three layers: as written, whole
//! ([`Object::whole`]), effective ([`Object::effective`]).
//!
//! This crate reads no file and no clock: the world is behind [`FileSource`].
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

mod alter;
mod authentication;
mod check;
mod clash;
pub mod cli;
mod config;
mod decl;
pub mod declare;
mod effective;
mod export;
mod files;
mod gather;
mod grammar;
mod links;
mod loader;
mod location;
mod macros;
mod modules;
mod names;
mod networks;
mod object;
mod param;
pub mod params;
mod parse;
mod pattern;
mod print;
mod problem;
mod quote;
mod reference;
mod registry;
mod report;
mod resolve;
mod rules;
mod secret;
mod secure;
mod suggest;
mod understand;
mod unit;
mod value;
mod view;
mod word;

pub use alter::altered;
pub use authentication::{Authentication, Authenticator, EdMode, PamMode, PamOptions, RsaFiles};
pub use config::{Config, Object, Target};
pub use decl::{
    Change, Given, Kind, ModuleKind, ParamDecl, Refers, Retired, Shown, Standing, Table,
};
pub use effective::Machine;
pub use files::{EntryKind, FileSource, MemoryFiles};
pub use gather::{Source, SourceKind};
pub use loader::{Loader, load, load_text};
pub use location::Locations;
pub use macros::Params;
#[doc(hidden)]
pub use macros::{store_field, take_field};
pub use modules::{ModuleView, modules};
pub use networks::{Network, Networks};
pub use object::ObjectKind;
pub use param::Param;
pub use pattern::Pattern;
pub use problem::{Errors, Fault, Place, Problem, Severity, ValueFault};
pub use reference::reference_page;
pub use registry::{
    CLI_ROUTER, MARIADB_PROTOCOL, MAXSCALED_PROTOCOL, ModuleDecl, Registry, Rule, RuleScope,
};
pub use secret::{Decrypt, ENCRYPTED, Keys, Passwords, Secret};
pub use unit::{BareUnit, ByteSize, Throttling};
pub use value::{Field, Value, Values};
pub use view::{View, metadata, parameter_members, type_name, value_view};
pub use word::{Word, WordSet};
