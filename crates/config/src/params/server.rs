//! Database servers.

use std::time::Duration;

use super::tls::TlsParams;
use crate::declare::{count, flag, int, list, optional_secret, optional_text, port, seconds};
use crate::secret::Secret;

const WITHOUT_EFFECT: &str = "it has no effect; remove it";

crate::words! {
    /// Which targets are tried first.
    pub enum Rank {
        Primary = "primary",
        /// Only when no usable target of primary rank is left.
        Secondary = "secondary",
    }
}

crate::words! {
    /// The state of a server that no monitor watches.
    pub enum InitialStatus {
        Down = "down",
        Up = "up",
        Read = "read",
        Write = "write",
    }
}

crate::words! {
    /// The form of a PROXY header.
    pub enum HeaderVersion {
        V1 = "v1",
        V2 = "v2",
    }
}

crate::words! {
    /// How bytes are compressed on connections to a server.
    pub enum ServerCompression {
        None = "none",
        Zlib = "zlib",
        Zstd = "zstd",
    }
}

crate::params! {
    /// Parameters of a database server.
    pub struct ServerParams {
        /// Address or host name. Either this or `socket` must be given.
        address: Option<String> = optional_text().runtime(),
        /// Port.
        port: u16 = port(3306).runtime(),
        /// Path of a UNIX socket, instead of address and port.
        socket: Option<String> = optional_text().runtime(),
        /// Address that the servers use among themselves.
        private_address: Option<String> = optional_text().runtime(),
        /// Port for monitoring and fetching accounts. 0: the ordinary one.
        extra_port: u16 = port(0).runtime(),
        /// Account of the monitor on this server, instead of the monitor's own.
        monitoruser: Option<String> = optional_text().runtime(),
        /// Password of that account.
        monitorpw: Option<Secret> = optional_secret().runtime(),
        /// Connections that ended sessions leave behind, kept for others; divided evenly among the
        /// workers. Only with `persistmaxtime`. 0: none.
        persistpoolmax: u64 = count(0).runtime(),
        /// Connections kept for longer than this are closed. 0: none is kept.
        persistmaxtime: Duration = seconds(0).runtime(),
        /// Most connections for clients' traffic, those included that are kept for it. 0: no limit.
        max_routing_connections: u64 = count(0).runtime(),
        /// Tell the server the client's address in a PROXY header.
        proxy_protocol: bool = flag(false).runtime(),
        /// The form of that header: a line of text, or binary.
        proxy_protocol_version: HeaderVersion = HeaderVersion::V1.param().runtime().since("tidegate"),
        /// Compress what clients' traffic sends to the server and gets from it, where it offers that.
        compression: ServerCompression = ServerCompression::None.param().runtime().since("tidegate"),
        /// Servers of secondary rank are used when none of primary rank can be.
        rank: Rank = Rank::Primary.param().runtime(),
        /// Preference of a Galera node; a smaller number is better.
        priority: i64 = int(0).runtime().reserved(),
        /// Fill of disks above which the server counts as low on space, `path:percent`.
        disk_space_threshold: Option<String> = optional_text()
            .shown_as("disk_space_limits").runtime().reserved(),
        /// Text appended to the statement that starts replication on this server.
        replication_custom_options: Option<String> = optional_text().runtime().reserved(),
        /// State while no monitor watches it.
        initial_status: InitialStatus = InitialStatus::Down.param().runtime()
            .since("25.10").reserved(),
        /// Log in with the service's account and switch to the client's, where the server can: MariaDB 12, and
        /// the account has SET USER.
        use_service_credentials: bool = flag(true).runtime().since("25.10"),
        /// Labels that routers may choose by.
        labels: Vec<String> = list(&[]).runtime().since("25.10").reserved(),
        /// Without effect: there is one protocol.
        protocol: Option<String> = optional_text().ignored().deprecated(WITHOUT_EFFECT),
        /// Without effect: servers choose how they authenticate.
        authenticator: Option<String> = optional_text().ignored().deprecated(WITHOUT_EFFECT),
        ..tls: TlsParams,
    }
}
