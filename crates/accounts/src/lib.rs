//! User accounts: loading, matching, login decisions.
