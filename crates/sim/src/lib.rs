//! The seeded simulator of the session core.
