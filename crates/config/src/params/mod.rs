//! The core's parameters: `[maxscale]`, servers, services, listeners, monitors, filters.
//!
//! Routers, filters and monitors declare theirs in their own folders and hand them over in a
//! [`Registry`](crate::Registry).

mod accounts;
mod admin;
mod directories;
mod filter;
mod keys;
mod listener;
mod logging;
mod maxscale;
mod monitor;
mod persistence;
mod retired;
mod server;
mod service;
mod sessions;
mod statements;
mod sync;
mod telemetry;
mod threads;
mod tls;

pub use accounts::AccountParams;
pub use admin::{AdminCompat, AdminParams, AuditMethod, JwtAlgorithm, OidcFlow};
pub use directories::DirectoryParams;
pub use filter::FilterParams;
pub use keys::{KeyManager, KeyParams};
pub use listener::{ListenerParams, MariadbProtocolParams, ProtocolCompression};
pub use logging::{EventParams, Facility, LogFormat, LogParams, SyslogLevel};
pub use maxscale::{MaxScaleParams, ProcessParams};
pub use monitor::{MonitorEvent, MonitorParams};
pub use persistence::PersistenceParams;
pub(crate) use retired::retired;
pub use server::{HeaderVersion, InitialStatus, Rank, ServerCompression, ServerParams};
pub use service::{AccountsFileUsage, ServiceParams};
pub use sessions::{DumpLastStatements, SessionDiagnosisParams};
pub use statements::{SqlMode, StatementParams};
pub use sync::SyncParams;
pub use telemetry::TelemetryParams;
pub use threads::ThreadParams;
pub use tls::{TlsParams, TlsVersion};
