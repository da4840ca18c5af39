//! The session state machine, without I/O.
