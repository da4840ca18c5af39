//! Workers: where sessions meet sockets.

#![deny(unsafe_code)]

pub mod log;
