//! The control plane's small MariaDB client: monitors, account loading and whatever else needs a
//! few statements run on a server.
//!
//! Text statements with one result each, `COM_PING`, `COM_QUIT`; logins with
//! `mysql_native_password`, through TCP or a UNIX socket. Left out: prepared statements, several
//! statements in one, `LOCAL INFILE`, compression.
//!
//! The invariant: nothing waits without a deadline and no reply is larger than a stated limit.

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

mod client;
mod error;
mod options;
mod packets;
mod quote;
mod result;
mod stream;

pub use client::Client;
pub use error::{Error, Phase};
pub use options::{Address, ConnectOptions, Credentials, Timeouts};
pub use quote::{quote_identifier, quote_text};
pub use result::{Outcome, ResultSet, Row};
