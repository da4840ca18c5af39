//! Real MariaDB servers on loopback, and MySQL's: alone, or a primary with replicas.
//!
//! Leaves out everything of the system's own installation: no service is started or touched, no
//! default option file is read. The servers are small (memory, files) and careless (nothing is
//! flushed to disk), since they only have to outlive a test.

mod account;
mod group;
mod options;
mod product;
mod program;
mod server;
mod template;

pub use account::{Account, Accounts};
pub use group::{GroupBuilder, ServerGroup};
pub use product::{FOREIGN_FOLDER, Product};
pub use program::find_program;
pub use server::{Server, run_client};
