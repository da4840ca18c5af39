//! JSON:API documents as plain data.
