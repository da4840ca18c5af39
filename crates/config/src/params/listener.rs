//! Listeners and the MariaDB protocol's own parameters.

use std::path::PathBuf;

use super::statements::SqlMode;
use super::tls::TlsParams;
use crate::decl::{ModuleKind, Refers};
use crate::declare::{
    flag, list, module, networks, optional_path, optional_text, port, required_reference, size,
    text,
};
use crate::networks::Networks;
use crate::unit::ByteSize;
use crate::word::WordSet;

crate::words! {
    /// A way to compress a connection.
    pub enum ProtocolCompression {
        None = "none",
        Zlib = "zlib",
        Zstd = "zstd",
    }
}

crate::params! {
    /// Parameters of a listener.
    pub struct ListenerParams {
        /// The service its clients use.
        service: String = required_reference(Refers::Service).attribute(),
        /// The protocol its clients speak.
        protocol: String = module(ModuleKind::Protocol, "MariaDBProtocol"),
        /// Address it listens at; `::` is every address of both families.
        address: String = text("::"),
        /// Port it listens at. Either this or `socket` must be given.
        port: u16 = port(0),
        /// Path of the UNIX socket it listens at.
        socket: Option<String> = optional_text(),
        /// Ways in which clients prove who they are, in a list: `MariaDBAuth` (the default),
        /// `Sha2Auth`, `Ed25519Auth`, `ParsecAuth`, `PAMAuth`. The first one's plugin is greeted with.
        authenticator: Option<String> = optional_text(),
        /// Their options, `name=value` separated by commas.
        authenticator_options: Option<String> = optional_text(),
        /// The dialect its sessions start in, instead of the global one.
        sql_mode: SqlMode = SqlMode::Default.param().runtime().reserved(),
        /// Addresses that may tell the client's address in a PROXY header.
        proxy_protocol_networks: Networks = networks().runtime(),
        /// File of statements run on every new connection to a server, one a line. Each must succeed and
        /// return no rows, else the connection is not used.
        connection_init_sql_file: Option<PathBuf> = optional_path().runtime(),
        /// File that maps clients' accounts to servers' accounts.
        user_mapping_file: Option<PathBuf> = optional_path().runtime(),
        /// Variables told to clients when they log in.
        connection_metadata: Vec<String> = list(&[
            "character_set_client=auto",
            "character_set_connection=auto",
            "character_set_results=auto",
            "max_allowed_packet=auto",
            "system_time_zone=auto",
            "time_zone=auto",
            "tx_isolation=auto",
            "maxscale=auto",
        ]).runtime(),
        /// URL that clients are sent to when they log in, `mariadb://host[:port]` or `mysql://host[:port]`.
        redirect_url: Option<String> = optional_text().runtime().since("25.10"),
        /// PEM file of revocation lists: clients' certificates that are in one are refused.
        ssl_crl: Option<String> = optional_text().runtime(),
        ..tls: TlsParams,
    }
}

crate::params! {
    /// Parameters of the MariaDB protocol, given as `mariadbprotocol.name`.
    pub struct MariadbProtocolParams {
        /// Let clients replicate through the listener.
        allow_replication: bool = flag(true).named("mariadbprotocol.allow_replication")
            .grouped("MariaDBProtocol").reserved(),
        /// Compression offered to clients.
        compression: WordSet<ProtocolCompression> = ProtocolCompression::mask(
                ProtocolCompression::Zlib.bit() | ProtocolCompression::Zstd.bit())
            .named("mariadbprotocol.compression").grouped("MariaDBProtocol")
            .runtime().since("25.10"),
        /// What is not larger than this goes uncompressed.
        compression_threshold: ByteSize = size(50)
            .named("mariadbprotocol.compression_threshold").grouped("MariaDBProtocol")
            .runtime().since("25.10"),
    }
}
