//! JSON:API documents as plain data.
//!
//! What the REST interface writes and its clients read: resources with their relationships and
//! links, error documents, the query language over them (filter, pages, sparse fields), their
//! text form and its ETag. It leaves out what the resources mean, HTTP, and time. Nothing that
//! arrives in a query string or a body makes it panic, and every recursion is bounded.

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

mod body;
mod document;
mod fields;
mod filter;
mod links;
mod page;
mod path;
mod query;
mod render;

pub use body::{Body, BodyError, Members, lenient_bool};
pub use document::{Form, Relationship, Resource, collection, error_document, single};
pub use fields::Fields;
pub use filter::{Filter, FilterError};
pub use links::LinkBase;
pub use page::Page;
pub use query::Query;
pub use render::{CollectionRenderer, etag, to_text};
