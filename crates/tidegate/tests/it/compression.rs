//! Compression with clients that others wrote: MariaDB's own, and mysql_async.

mod servers;

use std::process::Command;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Compression, Conn};
use tidegate_testkit::Tidegate;

use crate::house::{Plan, group};
use crate::others;

/// What MariaDB's client says when it compresses.
fn say(tidegate: &Tidegate, port: &str, more: &[&str], sql: &str) -> String {
    let (address, app) = (tidegate.address(port), &group().accounts().app);
    let output = Command::new("mariadb")
        .args(["--no-defaults", "--protocol=tcp", "--batch", "--compress"])
        .args(["--skip-column-names", "--local-infile=1"])
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--user={}", app.user))
        .arg(format!("--password={}", app.password))
        .args(more)
        .arg(format!("--execute={sql}"))
        .arg("test")
        .output()
        .expect("MariaDB's client");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", tidegate.log());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn mariadbs_client_compresses() {
    let tidegate = Plan::new(group()).start();
    group()
        .primary()
        .sql("CREATE TABLE test.compressed (n INT, body VARCHAR(100))")
        .expect("a table");
    let lines: String = (0..50_000).map(|n| format!("{n}\tline {n}\n")).collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &lines).expect("written");
    for port in ["rw", "read"] {
        let rows = say(
            &tidegate,
            port,
            &[],
            "SELECT seq, REPEAT('r', 500) FROM seq_1_to_20000",
        );
        assert_eq!(rows.lines().count(), 20_000);
        let long = say(
            &tidegate,
            port,
            &["--max-allowed-packet=64M"],
            "SELECT REPEAT('y', 20<<20)",
        );
        assert_eq!(long.trim_end().len(), 20 << 20);
        assert_eq!(say(&tidegate, port, &[], "SELECT 1; SELECT 2"), "1\n2\n");
    }
    let load = format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE compressed",
        file.path().display()
    );
    say(&tidegate, "rw", &[], &load);
    let sum = "SELECT COUNT(*), SUM(n), MAX(LENGTH(body)) FROM test.compressed";
    let found = group().primary().rows(sum).expect("rows");
    assert_eq!(found, [["50000", "1249975000", "10"]]);
}

#[test]
fn compression_lies_above_tls() {
    let tidegate = Plan::new(group()).listener("ssl=true\n").start();
    let rows = say(
        &tidegate,
        "rw",
        &["--ssl"],
        "SELECT seq, REPEAT('t', 500) FROM seq_1_to_20000; SHOW STATUS LIKE 'Ssl_cipher'",
    );
    assert_eq!(rows.lines().count(), 20_001);
}

#[test]
fn compression_is_not_offered_where_it_is_switched_off() {
    let tidegate = Plan::new(group())
        .listener("mariadbprotocol.compression=none\n")
        .start();
    assert_eq!(say(&tidegate, "rw", &[], "SELECT 1"), "1\n");
}

#[test]
fn mysql_async_compresses() {
    let tidegate = Plan::new(group()).start();
    let runtime = others::runtime();
    for port in ["rw", "read"] {
        let (address, app) = (tidegate.address(port), &group().accounts().app);
        let opts = others::opts(address, app)
            .max_allowed_packet(Some(64 << 20))
            .compression(Compression::fast());
        runtime.block_on(async {
            let mut conn = Conn::new(opts).await.expect("a login");
            for n in 0..50u32 {
                let found: Option<u32> = conn.exec_first("SELECT ?", (n,)).await.expect("a row");
                assert_eq!(found, Some(n));
            }
            let text = "z".repeat(5 << 20);
            let len: Option<usize> = conn
                .query_first(format!("SELECT LENGTH('{text}')"))
                .await
                .expect("a row");
            assert_eq!(len, Some(text.len()));
            // Statements of these lengths take two frames, from which this client goes on counting the
            // packets of the answer, as servers do and the proxy does not.
            for len in crate::protocol::BOUNDARIES {
                let (sql, text_len) = crate::protocol::row_of(len);
                let text: Option<String> = conn.query_first(sql).await.expect("a row");
                assert_eq!(text.map(|text| text.len()), Some(text_len));
            }
            let refused = conn.query_drop("SELECT no_such_column").await;
            assert!(refused.is_err());
            conn.disconnect().await.expect("a goodbye");
        });
    }
}
