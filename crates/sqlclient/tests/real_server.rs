//! The client against a real MariaDB server.

use std::time::Duration;

use tidegate_sqlclient::{Address, Client, ConnectOptions, Credentials, Error, Outcome, Timeouts};
use tidegate_testkit::{Account, Server, ServerGroup};

const PATIENCE: Duration = Duration::from_secs(60);

fn options(server: &Server, account: &Account) -> ConnectOptions {
    let address = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
    };
    let credentials = Credentials::new(&account.user, &account.password);
    ConnectOptions::new(address, credentials, Timeouts::all(PATIENCE))
}

async fn check_statements(client: &mut Client) {
    let result = client
        .rows("SELECT 'a' AS one, NULL AS two, '' AS three UNION ALL SELECT 'b', 'c', 'ä'")
        .await
        .expect("rows");
    assert_eq!(result.columns(), ["one", "two", "three"]);
    let rows: Vec<Vec<Option<&str>>> = result
        .rows()
        .iter()
        .map(|row| (0..row.len()).map(|column| row.text(column)).collect())
        .collect();
    assert_eq!(
        rows,
        [
            [Some("a"), None, Some("")],
            [Some("b"), Some("c"), Some("ä")]
        ]
    );
    let none = client
        .rows("SELECT 1 FROM DUAL WHERE FALSE")
        .await
        .expect("no rows");
    assert!(none.rows().is_empty());
    let made = client
        .query("CREATE TEMPORARY TABLE test.t (n INT)")
        .await
        .expect("created");
    assert!(matches!(made, Outcome::Done { .. }));
    let Outcome::Done { affected_rows, .. } = client
        .query("INSERT INTO test.t VALUES (1),(2)")
        .await
        .expect("inserted")
    else {
        panic!("an insert has no rows");
    };
    assert_eq!(affected_rows, 2);
}

async fn check_errors_leave_the_connection_usable(client: &mut Client) {
    let error = client.query("SELECT nonsense").await.expect_err("an error");
    assert_eq!(error.errno(), Some(1054), "{error}");
    let late = client
        .query("SELECT n FROM (SELECT 1 n UNION ALL SELECT 2) t WHERE n = 1 OR n = (SELECT 1 UNION SELECT 2)")
        .await
        .expect_err("an error amid rows");
    assert_eq!(late.errno(), Some(1242), "{late}");
    assert!(client.is_usable());
    client.ping().await.expect("a pong");
}

async fn check_large_values(client: &mut Client) {
    let sizes = [0xFF_FFFF_usize - 5, 0xFF_FFFF - 4, 0xFF_FFFF, 0x100_0000];
    for size in sizes {
        let result = client
            .rows(&format!("SELECT REPEAT('x', {size}), 'end'"))
            .await
            .expect("a large row");
        let row = &result.rows()[0];
        assert_eq!(row.bytes(0).map(<[u8]>::len), Some(size));
        assert_eq!(row.text(1), Some("end"));
    }
}

async fn check_limits(server: &Server, account: &Account) {
    let mut options = options(server, account);
    options.reply_limit = 10_000;
    let mut client = Client::connect(&options).await.expect("connected");
    let error = client
        .query("SELECT REPEAT('x', 20000)")
        .await
        .expect_err("too large");
    assert!(
        matches!(error, Error::TooLarge { limit: 10_000 }),
        "{error}"
    );
    assert!(matches!(client.ping().await, Err(Error::Unusable)));

    let mut client = Client::connect(&options).await.expect("connected");
    let error = client
        .query("SELECT seq FROM test.seq_1_to_100000")
        .await
        .expect_err("too many rows");
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

async fn check_silence_is_bounded(server: &Server, account: &Account) {
    let mut options = options(server, account);
    options.timeouts.read = Duration::from_millis(50);
    let mut client = Client::connect(&options).await.expect("connected");
    let error = client
        .query("SELECT SLEEP(600)")
        .await
        .expect_err("a time-out");
    assert!(error.is_timeout(), "{error}");
    assert!(matches!(
        client.query("SELECT 1").await,
        Err(Error::Unusable)
    ));
}

async fn check_an_abandoned_query_ends_the_connection(server: &Server, account: &Account) {
    let mut client = Client::connect(&options(server, account))
        .await
        .expect("connected");
    let abandoned =
        tokio::time::timeout(Duration::from_millis(50), client.query("SELECT SLEEP(600)"));
    assert!(abandoned.await.is_err());
    assert!(!client.is_usable());
    assert!(matches!(
        client.query("SELECT 1").await,
        Err(Error::Unusable)
    ));
}

async fn check_logins(server: &Server, account: &Account) {
    let mut wrong = options(server, account);
    wrong.credentials = Credentials::new(&account.user, "wrong");
    let error = Client::connect(&wrong).await.expect_err("refused");
    assert!(error.is_access_denied(), "{error}");
    assert!(!error.to_string().contains("wrong"));

    let mut unknown = options(server, account);
    unknown.database = Some("no_such_database".to_owned());
    let error = Client::connect(&unknown).await.expect_err("refused");
    assert_eq!(error.errno(), Some(1049), "{error}");
    assert!(!error.is_access_denied());

    let mut socket = options(server, account);
    socket.address = Address::Unix(server.socket());
    socket.database = Some("test".to_owned());
    let mut client = Client::connect(&socket).await.expect("connected");
    let here = client.rows("SELECT DATABASE()").await.expect("rows");
    assert_eq!(here.rows()[0].text(0), Some("test"));
    client.close().await;
}

#[tokio::test]
async fn speaks_with_a_real_server() {
    let group = ServerGroup::builder()
        .option("max_allowed_packet=64M")
        .start()
        .expect("a server");
    let (server, account) = (group.primary(), &group.accounts().admin);
    let mut client = Client::connect(&options(server, account))
        .await
        .expect("connected");
    assert!(client.server_version().contains("MariaDB"));
    check_statements(&mut client).await;
    check_errors_leave_the_connection_usable(&mut client).await;
    check_large_values(&mut client).await;
    client.close().await;
    check_logins(server, account).await;
    check_limits(server, account).await;
    check_silence_is_bounded(server, account).await;
    check_an_abandoned_query_ends_the_connection(server, account).await;
}
