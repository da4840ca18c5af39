//! The simulator's own modules: a filter that counts, a filter that meddles, a filter and a router that
//! panic when their time has come.

pub(crate) mod counting;
pub(crate) mod meddler;
pub(crate) mod panicky;
