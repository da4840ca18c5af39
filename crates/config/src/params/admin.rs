//! The REST interface.

use std::path::PathBuf;
use std::time::Duration;

use super::tls::TlsVersion;
use crate::declare::{flag, optional_path, optional_secret, optional_text, port, seconds, text};
use crate::secret::Secret;
use crate::word::WordSet;

crate::words! {
    /// How tokens are signed.
    pub enum JwtAlgorithm {
        /// By the kind of the TLS key.
        Auto = "auto",
        Hs256 = "HS256",
        Hs384 = "HS384",
        Hs512 = "HS512",
        Rs256 = "RS256",
        Rs384 = "RS384",
        Rs512 = "RS512",
        Es256 = "ES256",
        Es384 = "ES384",
        Es512 = "ES512",
        Ps256 = "PS256",
        Ps384 = "PS384",
        Ps512 = "PS512",
        Ed25519 = "ED25519",
        Ed448 = "ED448",
    }
}

crate::words! {
    /// A method of HTTP.
    pub enum AuditMethod {
        Get = "GET",
        Put = "PUT",
        Post = "POST",
        Patch = "PATCH",
        Delete = "DELETE",
        Head = "HEAD",
        Connect = "CONNECT",
        Options = "OPTIONS",
        Trace = "TRACE",
    }
}

crate::words! {
    /// How the web application signs a user on.
    pub enum OidcFlow {
        Auto = "auto",
        Implicit = "implicit",
        Code = "code",
    }
}

crate::words! {
    /// The release whose form the session resource has.
    pub enum AdminCompat {
        Current = "24.02",
        /// The oldest form with JSON:API documents.
        Legacy = "2.2",
    }
}

crate::params! {
    /// The REST interface.
    pub struct AdminParams {
        /// Whether there is a REST interface.
        admin_enabled: bool = flag(true),
        /// Address it listens at.
        admin_host: String = text("127.0.0.1"),
        /// Port it listens at.
        admin_port: u16 = port(8989).shown_as("int"),
        /// Whether it asks for a user name and password.
        admin_auth: bool = flag(true),
        /// Whether it serves the web application. Off: `/` answers 200.
        admin_gui: bool = flag(true),
        /// Serve the web application and tokens over HTTPS only.
        admin_secure_gui: bool = flag(true),
        /// Private key for HTTPS; together with the certificate it replaces HTTP.
        admin_ssl_key: Option<PathBuf> = optional_path().runtime().reserved(),
        /// Certificate for HTTPS.
        admin_ssl_cert: Option<PathBuf> = optional_path().runtime().reserved(),
        /// Authorities that client certificates are verified against, if one is given.
        admin_ssl_ca: Option<PathBuf> = optional_path()
            .aliases(&["admin_ssl_ca_cert"]).reserved(),
        /// The TLS versions allowed.
        admin_ssl_version: WordSet<TlsVersion> = TlsVersion::mask(TlsVersion::Max.bit())
            .spellings(TlsVersion::DOTTED).reserved(),
        /// Cipher suites allowed.
        admin_ssl_cipher: Option<String> = optional_text().since("24.08").reserved(),
        /// Where the passphrase of the private key is.
        admin_ssl_passphrase: Option<Secret> = optional_secret().runtime()
            .since("25.10").reserved(),
        /// Demand client certificates that verify.
        admin_ssl_verify_peer_certificate: bool = flag(false).runtime()
            .since("25.10").reserved(),
        /// Demand that the name in a client's certificate is the client's.
        admin_ssl_verify_peer_host: bool = flag(false).runtime().since("25.10").reserved(),
        /// Log refused logins.
        admin_log_auth_failures: bool = flag(true).at_once(),
        /// PAM service for users who may change things.
        admin_pam_readwrite_service: Option<String> = optional_text().reserved(),
        /// PAM service for users who may only read.
        admin_pam_readonly_service: Option<String> = optional_text().reserved(),
        /// Addresses from which everything is allowed.
        admin_readwrite_hosts: String = text("*").shown_as("host pattern list")
            .spellings(&[("%", "*")]).reserved(),
        /// Addresses from which reading is allowed.
        admin_readonly_hosts: String = text("*").shown_as("host pattern list")
            .spellings(&[("%", "*")]).reserved(),
        /// How tokens are signed.
        admin_jwt_algorithm: JwtAlgorithm = JwtAlgorithm::Auto.param(),
        /// Identifier of the signing key in the key manager.
        admin_jwt_key: Option<String> = optional_text(),
        /// Longest life of a token.
        admin_jwt_max_age: Duration = seconds(86_400).runtime(),
        /// Issuer named in tokens.
        admin_jwt_issuer: String = text("maxscale"),
        /// OpenID provider whose tokens are accepted.
        admin_oidc_url: Option<String> = optional_text().runtime().reserved(),
        /// Client identifier at the OpenID provider.
        admin_oidc_client_id: Option<String> = optional_text().runtime()
            .since("25.01").reserved(),
        /// Client secret at the OpenID provider.
        admin_oidc_client_secret: Option<Secret> = optional_secret().runtime()
            .since("25.01").reserved(),
        /// How the web application signs a user on.
        admin_oidc_flow: OidcFlow = OidcFlow::Auto.param().runtime()
            .since("25.01").reserved(),
        /// Further options of the request to the OpenID provider.
        admin_oidc_extra_options: Option<String> = optional_text().runtime()
            .since("25.01").reserved(),
        /// Do not verify the OpenID provider's certificate.
        admin_oidc_ssl_insecure: bool = flag(false).runtime().since("25.01").reserved(),
        /// URL that decides about tokens.
        admin_verify_url: Option<String> = optional_text().reserved(),
        /// Prefix of generated links.
        admin_root_url: Option<String> = optional_text().runtime().since("25.10").reserved(),
        /// Write a line for every call.
        admin_audit: bool = flag(false).at_once().reserved(),
        /// File of those lines. Without it: `admin_audit.csv` in `logdir`.
        admin_audit_file: Option<String> = optional_text().at_once().reserved(),
        /// Methods that are not written.
        admin_audit_exclude_methods: WordSet<AuditMethod> = AuditMethod::list(0)
            .at_once().reserved(),
        /// Refuse every listener, server and REST interface without TLS.
        require_secure_transport: bool = flag(false).since("25.10"),
        /// The release whose form the session resource has.
        admin_compat: AdminCompat = AdminCompat::Current.param().since("tidegate"),
        /// List listeners as sessions, as the oldest releases did.
        admin_seed_mode: bool = flag(false).since("tidegate"),
    }
}
