//! Answers decoded as strictly as the clients' own languages do it: a number where they want
//! an integer must be one, a boolean no string, a list no null.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::Server;
use crate::fake::FakeHouse;

#[derive(Deserialize)]
struct List<A> {
    data: Vec<Row<A>>,
}

#[derive(Deserialize)]
struct One<A> {
    data: Row<A>,
}

#[derive(Deserialize)]
struct Row<A> {
    id: String,
    attributes: A,
    #[serde(default)]
    links: BTreeMap<String, String>,
}

async fn decode<T: DeserializeOwned>(server: &Server, target: &str) -> T {
    let answer = server.get(target).await;
    assert_eq!(answer.status, 200, "{target}");
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{target}: {error}"))
}

/// The forms that Go's `time.ParseDuration` takes, as far as we use them.
fn is_go_duration(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    number.parse::<u64>().is_ok() && ["ns", "us", "ms", "s", "m", "h"].contains(&unit)
}

mod operator {
    //! mariadb-operator, Go: rows O4, O5, O13, O17. No version prefix on any call.

    use super::*;

    #[derive(Deserialize)]
    struct ServerAttributes {
        state: String,
        parameters: ServerParameters,
    }

    #[derive(Deserialize)]
    struct ServerParameters {
        address: String,
        port: i32,
        ssl: bool,
        ssl_version: String,
        ssl_verify_peer_certificate: bool,
        ssl_verify_peer_host: bool,
        protocol: Option<String>,
        ssl_ca: Option<String>,
    }

    #[derive(Deserialize)]
    struct MonitorAttributes {
        module: String,
        state: String,
        parameters: MonitorParameters,
        monitor_diagnostics: MonitorDiagnostics,
    }

    #[derive(Deserialize)]
    struct MonitorParameters {
        user: String,
        password: String,
        monitor_interval: String,
    }

    #[derive(Deserialize)]
    struct MonitorDiagnostics {
        primary: Option<bool>,
    }

    #[derive(Deserialize)]
    struct ServiceAttributes {
        router: String,
        state: String,
        parameters: ServiceParameters,
    }

    #[derive(Deserialize)]
    struct ServiceParameters {
        user: String,
        password: String,
    }

    #[derive(Deserialize)]
    struct ListenerAttributes {
        state: String,
        parameters: ListenerParameters,
    }

    #[derive(Deserialize)]
    struct ListenerParameters {
        port: i32,
        protocol: String,
        ssl: bool,
    }

    #[derive(Deserialize)]
    struct MaxScaleAttributes {
        parameters: MaxScaleParameters,
        config_sync: Option<ConfigSync>,
    }

    #[derive(Deserialize)]
    struct MaxScaleParameters {
        config_sync_cluster: Option<String>,
        config_sync_user: Option<String>,
        config_sync_db: Option<String>,
        config_sync_interval: String,
        config_sync_timeout: String,
    }

    #[derive(Deserialize)]
    struct ConfigSync {
        version: i64,
    }

    #[tokio::test]
    async fn o4_o17_servers() {
        let server = Server::start(FakeHouse::default());
        let servers: List<ServerAttributes> = decode(&server, "/servers").await;
        let primary = &servers.data[0];
        assert_eq!(primary.id, "db-a");
        assert!(primary.attributes.state.contains("Master"));
        assert!(!primary.attributes.state.contains("Relay Master"));
        assert!(servers.data[1].attributes.state.contains("Slave"));
        let parameters = &primary.attributes.parameters;
        assert_eq!(
            (parameters.address.as_str(), parameters.port),
            ("127.0.0.1", 3306)
        );
        assert!(!parameters.ssl && !parameters.ssl_verify_peer_certificate);
        assert!(!parameters.ssl_verify_peer_host);
        assert_eq!(parameters.ssl_version, "MAX");
        assert!(parameters.protocol.is_none() && parameters.ssl_ca.is_none());
        server.stop().await;
    }

    #[tokio::test]
    async fn o4_services_and_listeners() {
        let server = Server::start(FakeHouse::default());
        let services: List<ServiceAttributes> = decode(&server, "/services").await;
        let service = &services.data[0].attributes;
        assert_eq!(
            (service.router.as_str(), service.state.as_str()),
            ("readwritesplit", "Started")
        );
        assert_eq!(
            (
                service.parameters.user.as_str(),
                service.parameters.password.as_str()
            ),
            ("svc", "*****")
        );
        let listeners: List<ListenerAttributes> = decode(&server, "/listeners").await;
        let listener = &listeners.data[0].attributes;
        assert_eq!(
            (listener.state.as_str(), listener.parameters.port),
            ("Running", 4006)
        );
        assert_eq!(listener.parameters.protocol, "MariaDBProtocol");
        assert!(!listener.parameters.ssl);
        server.stop().await;
    }

    #[tokio::test]
    async fn o4_o5_monitors() {
        let server = Server::start(FakeHouse::default());
        let monitors: List<MonitorAttributes> = decode(&server, "/monitors").await;
        let one: One<MonitorAttributes> = decode(&server, "/monitors/Mon").await;
        for monitor in [&monitors.data[0].attributes, &one.data.attributes] {
            assert_eq!(
                (monitor.module.as_str(), monitor.state.as_str()),
                ("mariadbmon", "Running")
            );
            assert_eq!(monitor.monitor_diagnostics.primary, None);
            assert!(is_go_duration(&monitor.parameters.monitor_interval));
            assert_eq!(
                (
                    monitor.parameters.user.as_str(),
                    monitor.parameters.password.as_str()
                ),
                ("mon", "*****")
            );
        }
        assert_eq!(server.get("/monitors/asdf").await.status, 404);
        server.stop().await;
    }

    #[tokio::test]
    async fn o13_maxscale() {
        let server = Server::start(FakeHouse::default());
        let maxscale: One<MaxScaleAttributes> = decode(&server, "/maxscale").await;
        let parameters = &maxscale.data.attributes.parameters;
        assert!(parameters.config_sync_cluster.is_none() && parameters.config_sync_user.is_none());
        assert_eq!(parameters.config_sync_db.as_deref(), Some("mysql"));
        for duration in [
            &parameters.config_sync_interval,
            &parameters.config_sync_timeout,
        ] {
            assert!(is_go_duration(duration), "{duration}");
        }
        assert_eq!(
            maxscale
                .data
                .attributes
                .config_sync
                .map(|sync| sync.version),
            None
        );
        server.stop().await;
    }

    #[tokio::test]
    async fn o16_types_of_parameters_pass_unchanged() {
        let server = Server::start(FakeHouse::default());
        let document = server.document("/maxscale").await;
        let parameters = &document["data"]["attributes"]["parameters"];
        assert!(parameters["threads"].is_u64());
        assert!(parameters["passive"].is_boolean());
        assert!(parameters["config_sync_cluster"].is_null());
        server.stop().await;
    }

    #[tokio::test]
    async fn errors_are_json_or_nothing() {
        let server = Server::start(FakeHouse::default());
        let login = crate::client::basic("admin", "wrong");
        let head = format!("GET /servers HTTP/1.1\r\nHost: h\r\nAuthorization: {login}");
        for answer in [
            server.raw(&head, "").await,
            server.get("/servers/asdf").await,
            server.get("/nothing").await,
            server.get("/servers?filter=id").await,
            server.send("PATCH", "/sessions/7", "", "{").await,
            server.send("POST", "/servers", "", "{}").await,
        ] {
            assert!(answer.status >= 400);
            if !answer.body.is_empty() {
                assert!(!answer.details().is_empty(), "{answer:?}");
            }
        }
        server.stop().await;
    }
}

mod exporters {
    //! maxctrl_exporter, netdata, maxscale_node_exporter and others: rows E1 to E6. One float
    //! or string among the numbers fails their whole scrape.

    use super::*;

    #[derive(Deserialize)]
    struct ServerAttributes {
        state: String,
        parameters: Address,
        statistics: ServerStatistics,
    }

    #[derive(Deserialize)]
    struct Address {
        address: String,
        port: i64,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct ServerStatistics {
        active_operations: i64,
        connection_pool_empty: i64,
        connections: i64,
        max_connections: i64,
        max_pool_size: i64,
        persistent_connections: i64,
        reused_connections: i64,
        routed_packets: i64,
        total_connections: i64,
        adaptive_avg_select_time: String,
    }

    #[derive(Deserialize)]
    struct ServiceAttributes {
        connections: i64,
        total_connections: i64,
        parameters: ServiceParameters,
        router_diagnostics: BTreeMap<String, i64>,
        statistics: ServiceStatistics,
        listeners: Vec<EmbeddedListener>,
    }

    #[derive(Deserialize)]
    struct ServiceParameters {
        max_connections: i64,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct ServiceStatistics {
        active_operations: i64,
        connections: i64,
        max_connections: i64,
        routed_packets: i64,
        total_connections: i64,
    }

    #[derive(Deserialize)]
    struct EmbeddedListener {
        id: String,
        attributes: ListenerAttributes,
    }

    #[derive(Deserialize)]
    struct ListenerAttributes {
        state: String,
        parameters: ListenerPort,
    }

    #[derive(Deserialize)]
    struct ListenerPort {
        port: i64,
    }

    #[derive(Deserialize)]
    struct MaxScaleAttributes {
        uptime: i64,
        parameters: MaxScaleParameters,
    }

    #[derive(Deserialize)]
    struct MaxScaleParameters {
        threads: i64,
        writeq_high_water: i64,
        writeq_low_water: i64,
        passive: bool,
    }

    #[derive(Deserialize)]
    struct ThreadAttributes {
        stats: ThreadStats,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct ThreadStats {
        state: String,
        reads: i64,
        writes: i64,
        errors: i64,
        hangups: i64,
        accepts: i64,
        sessions: i64,
        zombies: i64,
        avg_event_queue_length: i64,
        max_event_queue_length: i64,
        max_exec_time: i64,
        max_queue_time: i64,
        current_descriptors: i64,
        total_descriptors: i64,
        load: ThreadLoad,
        query_classifier_cache: ClassifierCache,
        memory: BTreeMap<String, i64>,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct ThreadLoad {
        last_second: i64,
        last_minute: i64,
        last_hour: i64,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct ClassifierCache {
        size: i64,
        inserts: i64,
        hits: i64,
        misses: i64,
        evictions: i64,
    }

    #[derive(Deserialize)]
    struct MonitorAttributes {
        monitor_diagnostics: Primary,
        parameters: MonitorParameters,
    }

    #[derive(Deserialize)]
    struct Primary {
        primary: Option<bool>,
    }

    #[derive(Deserialize)]
    struct MonitorParameters {
        cooperative_monitoring_locks: String,
        auto_failover: bool,
        auto_rejoin: bool,
        monitor_interval: String,
    }

    #[tokio::test]
    async fn e1_e2_e4_e5_servers() {
        let server = Server::start(FakeHouse::default());
        for target in ["/v1/servers", "/servers"] {
            let servers: List<ServerAttributes> = decode(&server, target).await;
            let attributes = &servers.data[0].attributes;
            assert_eq!(
                attributes.state.split(", ").collect::<Vec<_>>(),
                ["Master", "Running"]
            );
            assert_eq!(
                (
                    attributes.parameters.address.as_str(),
                    attributes.parameters.port
                ),
                ("127.0.0.1", 3306)
            );
            assert_eq!(attributes.statistics.connections, 3);
            assert_eq!(attributes.statistics.adaptive_avg_select_time, "250us");
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn e1_e5_services() {
        let server = Server::start(FakeHouse::default());
        let services: List<ServiceAttributes> = decode(&server, "/v1/services").await;
        let attributes = &services.data[0].attributes;
        assert_eq!(
            (attributes.connections, attributes.total_connections),
            (1, 4)
        );
        assert_eq!(attributes.statistics.total_connections, 4);
        assert_eq!(attributes.parameters.max_connections, 0);
        assert_eq!(attributes.router_diagnostics["route_slave"], 5);
        let listener = &attributes.listeners[0];
        assert_eq!(
            (listener.id.as_str(), listener.attributes.state.as_str()),
            ("RW-L", "Running")
        );
        assert_eq!(listener.attributes.parameters.port, 4006);
        assert!(
            services.data[1].attributes.listeners.is_empty(),
            "a list even when empty"
        );
        server.stop().await;
    }

    #[tokio::test]
    async fn e1_e4_maxscale_and_threads() {
        let server = Server::start(FakeHouse::default());
        for prefix in ["/v1", ""] {
            let maxscale: One<MaxScaleAttributes> =
                decode(&server, &format!("{prefix}/maxscale")).await;
            let attributes = &maxscale.data.attributes;
            assert_eq!((attributes.uptime, attributes.parameters.threads), (5, 2));
            assert_eq!(attributes.parameters.writeq_high_water, 65536);
            assert_eq!(attributes.parameters.writeq_low_water, 1024);
            assert!(!attributes.parameters.passive);
            let threads: List<ThreadAttributes> =
                decode(&server, &format!("{prefix}/maxscale/threads")).await;
            assert_eq!(
                threads
                    .data
                    .iter()
                    .map(|row| row.id.as_str())
                    .collect::<Vec<_>>(),
                ["0", "1"]
            );
            let row = &threads.data[1];
            assert_eq!(
                row.links["self"],
                format!("http://h:8989{prefix}/maxscale/threads/1/")
            );
            assert_eq!(
                (
                    row.attributes.stats.state.as_str(),
                    row.attributes.stats.accepts
                ),
                ("Active", 5)
            );
            assert_eq!(row.attributes.stats.load.last_second, 99);
            assert_eq!(row.attributes.stats.memory["total"], 123);
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn e1_e3_monitors() {
        let server = Server::start(FakeHouse::default());
        let monitors: List<MonitorAttributes> = decode(&server, "/v1/monitors").await;
        let attributes = &monitors.data[0].attributes;
        assert_eq!(attributes.monitor_diagnostics.primary, None);
        let parameters = &attributes.parameters;
        assert_eq!(parameters.cooperative_monitoring_locks, "none");
        assert!(!parameters.auto_failover && parameters.auto_rejoin);
        assert!(is_go_duration(&parameters.monitor_interval));
        server.stop().await;
    }

    #[tokio::test]
    async fn e6_every_page_asked_for_answers_and_the_wrong_one_is_404() {
        let server = Server::start(FakeHouse::default());
        for page in [
            "maxscale",
            "services",
            "servers",
            "listeners",
            "maxscale/threads",
        ] {
            assert_eq!(
                server.get(&format!("/v1/{page}")).await.status,
                200,
                "{page}"
            );
        }
        assert_eq!(server.get("/v1/threads").await.status, 404);
        server.stop().await;
    }
}
