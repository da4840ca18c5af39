//! How values are spelled in documents, for whoever fills in those parts of a document that are a
//! module's own.

pub use crate::documents::{spread, times};
pub use crate::time::short_duration as duration;
