//! The control plane's small MariaDB client.
