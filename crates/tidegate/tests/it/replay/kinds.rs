//! Which answers are compared, and what is never repeated.

use tidegate_testkit::raw::{Login, RawClient};

use super::{behind_relay, connect, counted, on_primary, refused, succeeds};
use crate::house::{group, run, value};

/// A transaction that is repeated behind a number that was given away meanwhile: the OK packet of its
/// INSERT differs, and if `asks` a result too. Is it repeated?
fn is_repeated(kind: &str, asks: bool) -> bool {
    let (relay, tidegate) = behind_relay(&format!("transaction_replay_checksum={kind}"));
    let mut client = connect(&tidegate, group());
    let name = format!("kind_{kind}_{asks}");
    run(
        &mut client,
        &format!("CREATE TABLE {name} (id INT PRIMARY KEY AUTO_INCREMENT)"),
    );
    run(&mut client, "BEGIN");
    run(&mut client, &format!("INSERT INTO {name} VALUES ()"));
    if asks {
        assert_eq!(value(&mut client, "SELECT LAST_INSERT_ID()"), "1");
    }
    relay.cut();
    client.send_query("DO 1").expect("sent");
    // What was rolled back leaves a gap.
    let kept = format!("SELECT GROUP_CONCAT(id) FROM test.{name}");
    let repeated = goes_on(&mut client);
    if repeated {
        run(&mut client, "COMMIT");
        assert_eq!(on_primary(group(), &kept), "2", "{kind}");
        assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
    } else {
        assert_eq!(on_primary(group(), &kept), "NULL", "{kind}");
        assert_eq!(counted(&tidegate, "replay_mismatches"), 1);
    }
    repeated
}

/// Was it answered with OK? Else the session must have ended with a word about answers that differ.
fn goes_on(client: &mut RawClient) -> bool {
    let replies = client.replies().expect("an answer");
    let Some(code) = replies[0].error_code() else {
        return true;
    };
    assert_eq!(code, 1927, "{replies:?}");
    assert!(format!("{replies:?}").contains("its answers differ"));
    false
}

#[test]
fn each_kind_compares_the_answers_it_names() {
    for (kind, asks, expect) in [
        ("full", false, false),
        ("result_only", false, true),
        ("result_only", true, false),
        ("no_insert_id", true, true),
    ] {
        assert_eq!(is_repeated(kind, asks), expect, "{kind}, asks: {asks}");
    }
}

#[test]
fn a_transaction_that_has_loaded_a_file_of_the_client_s_is_not_repeated() {
    const LOCAL_FILES: u32 = 1 << 7;
    let (relay, tidegate) = behind_relay("");
    let login = Login::new(&group().accounts().app)
        .database("test")
        .capabilities(LOCAL_FILES);
    let mut client = RawClient::connect(tidegate.address("replay"), &login).expect("a login");
    run(&mut client, "CREATE TABLE kind_file (v INT)");
    run(&mut client, "BEGIN");
    run(&mut client, "INSERT INTO kind_file VALUES (1)");
    client
        .send_query("LOAD DATA LOCAL INFILE 'lines' INTO TABLE kind_file")
        .expect("sent");
    let request = client.packets().read().expect("a request");
    assert_eq!(request.first(), Some(&0xFB), "{request:?}");
    client.packets().write(b"2\n3\n").expect("sent");
    client.packets().write(b"").expect("sent");
    succeeds(&mut client);
    assert_eq!(value(&mut client, "SELECT COUNT(*) FROM kind_file"), "3");
    relay.cut();
    client
        .send_query("INSERT INTO kind_file VALUES (4)")
        .expect("sent");
    refused(&mut client);
    assert_eq!(
        on_primary(group(), "SELECT COUNT(*) FROM test.kind_file"),
        "0"
    );
    assert_eq!(counted(&tidegate, "replayed_transactions"), 0);
    tidegate
        .wait_log("could not be repeated if its server were lost")
        .expect("a word of it in the log");
}
