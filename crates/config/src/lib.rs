//! Parameters declared once, the configuration file, secrets.
