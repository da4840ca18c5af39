//! Metrics pushed to a collector.

use std::path::PathBuf;
use std::time::Duration;

use crate::declare::{flag, list, optional_path, seconds, text};

crate::params! {
    /// Metrics pushed over OTLP/HTTP.
    pub struct TelemetryParams {
        /// Push metrics.
        telemetry: bool = flag(false).runtime().since("25.10").reserved(),
        /// Where to.
        telemetry_url: String = text("http://localhost:4318/v1/metrics")
            .since("25.10").reserved(),
        /// How often.
        telemetry_update_interval: Duration = seconds(60).runtime()
            .since("25.10").reserved(),
        /// Attributes sent along, `key=value`.
        telemetry_attributes: Vec<String> = list(&[]).runtime().since("25.10").reserved(),
        /// Authorities of the collector's certificate.
        telemetry_ssl_ca: Option<PathBuf> = optional_path().since("25.10").reserved(),
        /// Client certificate for the collector.
        telemetry_ssl_cert: Option<PathBuf> = optional_path().since("25.10").reserved(),
        /// Client key for the collector.
        telemetry_ssl_key: Option<PathBuf> = optional_path().since("25.10").reserved(),
        /// Do not verify the collector's certificate.
        telemetry_ssl_insecure: bool = flag(false).since("25.10").reserved(),
    }
}
