//! Key managers.

use std::path::PathBuf;
use std::time::Duration;

use crate::declare::{flag, optional_path, optional_secret, optional_text, port, seconds, text};
use crate::secret::Secret;

crate::words! {
    /// Who keeps the keys.
    pub enum KeyManager {
        None = "none",
        /// A text file with lines `id;hex`.
        File = "file",
        /// A KMIP server.
        Kmip = "kmip",
        /// A Vault key-value store, version 2.
        Vault = "vault",
    }
}

crate::params! {
    /// Key managers, one of which `key_manager` selects.
    pub struct KeyParams {
        /// Who keeps the keys. Can be switched on while the process runs, and not off.
        key_manager: KeyManager = KeyManager::None.param().runtime(),
        /// File of keys: lines of `number;hexadecimal key`.
        file_keyfile: Option<PathBuf> = optional_path().named("file.keyfile")
            .grouped("file").runtime(),
        /// Address of the KMIP server.
        kmip_host: Option<String> = optional_text().named("kmip.host")
            .grouped("kmip").runtime(),
        /// Port of the KMIP server.
        kmip_port: u16 = port(0).named("kmip.port").grouped("kmip").runtime(),
        /// Client certificate for the KMIP server.
        kmip_cert: Option<PathBuf> = optional_path().named("kmip.cert")
            .grouped("kmip").runtime(),
        /// Client key for the KMIP server.
        kmip_key: Option<PathBuf> = optional_path().named("kmip.key")
            .grouped("kmip").runtime(),
        /// Authorities of the KMIP server's certificate.
        kmip_ca: Option<PathBuf> = optional_path().named("kmip.ca")
            .grouped("kmip").runtime(),
        /// Token for Vault. May be encrypted.
        vault_token: Option<Secret> = optional_secret().named("vault.token")
            .grouped("vault").runtime(),
        /// Address of Vault.
        vault_host: String = text("localhost").named("vault.host")
            .grouped("vault").runtime(),
        /// Port of Vault.
        vault_port: u16 = port(8200).named("vault.port")
            .grouped("vault").runtime(),
        /// Authorities of Vault's certificate.
        vault_ca: Option<PathBuf> = optional_path().named("vault.ca")
            .grouped("vault").runtime(),
        /// Speak TLS with Vault.
        vault_tls: bool = flag(true).named("vault.tls")
            .grouped("vault").runtime(),
        /// Mount of the key-value store (version 2), whose secrets hold a key in their field `data`.
        vault_mount: String = text("secret").named("vault.mount")
            .grouped("vault").runtime(),
        /// Timeout of connects and requests to Vault.
        vault_timeout: Duration = seconds(30).named("vault.timeout")
            .grouped("vault").runtime(),
    }
}
