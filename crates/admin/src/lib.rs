//! The REST interface.
//!
//! Serves the house as JSON:API documents over HTTP. It knows the house only through the
//! plain [`views`] and the [`house::House`] trait, which the composition implements.

#![forbid(unsafe_code)]

pub mod house;
pub mod views;

pub use house::House;
