//! Clients that prove who they are by other plugins than `mysql_native_password`, and servers that are
//! answered by them, as MariaDB's own client sees it.

use std::process::Command;

use tidegate_testkit::mariadb::Account;
use tidegate_testkit::pki::{Authority, Wish};
use tidegate_testkit::{Scratch, ServerGroup, Tidegate};

use crate::house::Plan;

/// Servers that know the plugin, and passwords of accounts there: of one that signs, of one that does
/// not, and two of one that may do either.
struct Servers {
    group: ServerGroup,
    signs: String,
    native: String,
    either: [String; 2],
}

fn password() -> String {
    Account::random("").expect("a password").password
}

fn servers() -> Servers {
    let group = ServerGroup::builder()
        .option("plugin_load_add=auth_ed25519")
        .start()
        .expect("a server group");
    let (signs, native, either) = (password(), password(), [password(), password()]);
    let [first, second] = &either;
    let accounts = format!(
        "CREATE USER signs@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{signs}');
         CREATE USER native@'%' IDENTIFIED BY '{native}';
         CREATE USER either@'%' IDENTIFIED VIA unix_socket
            OR ed25519 USING PASSWORD('{first}')
            OR mysql_native_password USING PASSWORD('{second}');"
    );
    group.primary().sql(&accounts).expect("accounts");
    Servers {
        group,
        signs,
        native,
        either,
    }
}

/// What MariaDB's client prints for a statement, or what it says went wrong.
fn ask(
    tidegate: &Tidegate,
    user: &str,
    password: &str,
    options: &[&str],
    sql: &str,
) -> Result<String, String> {
    let output = Command::new("mariadb")
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
        .args(["--batch", "--skip-column-names"])
        .arg(format!("--port={}", tidegate.address("rw").port()))
        .args([format!("--user={user}"), format!("--password={password}")])
        .args(options)
        .args(["--execute", sql])
        .output()
        .expect("the mariadb client");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

const WHO: &str = "SELECT CURRENT_USER()";

#[test]
fn a_client_that_hands_its_password_over_is_answered_for_with_signatures() {
    let servers = servers();
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let authority = Authority::new("Test CA").expect("an authority");
    let identity = authority.issue(&Wish::new("proxy")).expect("a certificate");
    let files = identity.write(&scratch, "proxy").expect("files");
    let secured = format!(
        "ssl=true\nssl_key={}\nssl_cert={}\n",
        files.key.display(),
        files.cert.display()
    );
    for (lines, options) in [
        (
            secured.as_str(),
            vec!["--ssl", "--ssl-verify-server-cert=0"],
        ),
        ("", vec!["--skip-ssl"]),
    ] {
        let listener = format!(
            "{lines}authenticator=MariaDBAuth,Ed25519Auth\nauthenticator_options=ed_mode=sha256\n"
        );
        let tidegate = Plan::new(&servers.group).listener(&listener).start();
        let ask = |user: &str, password: &str| ask(&tidegate, user, password, &options, WHO);
        // The second time it is recalled.
        for _ in 0..2 {
            assert_eq!(ask("signs", &servers.signs).as_deref(), Ok("signs@%"));
        }
        let denied = "Access denied for user 'signs'@'127.0.0.1' (using password: YES)";
        let wrong = ask("signs", "wrong").expect_err("a wrong password");
        assert!(wrong.contains(denied), "{wrong}");
        assert_eq!(ask("native", &servers.native).as_deref(), Ok("native@%"));
    }
}

#[test]
fn a_client_that_signs_is_let_in_and_told_why_servers_do_not() {
    let servers = servers();
    let listener = "authenticator=Ed25519Auth,MariaDBAuth\n";
    let tidegate = Plan::new(&servers.group).listener(listener).start();
    let said =
        ask(&tidegate, "signs", &servers.signs, &[], WHO).expect_err("no answer for servers");
    assert!(said.contains("ERROR"), "{said}");
    tidegate
        .wait_log("the server wants client_ed25519, the session cannot offer it")
        .expect("the reason");
    let wrong = ask(&tidegate, "signs", "wrong", &[], WHO).expect_err("a wrong password");
    assert!(wrong.contains("1045"), "{wrong}");
    tidegate
        .wait_log("login of 'signs'@'127.0.0.1' failed: the password does not match")
        .expect("the reason");
}

#[test]
fn accounts_with_several_methods_take_each_password() {
    let servers = servers();
    let listener = "authenticator=MariaDBAuth,Ed25519Auth\nauthenticator_options=ed_mode=sha256\n";
    let tidegate = Plan::new(&servers.group).listener(listener).start();
    for password in &servers.either {
        let said = ask(&tidegate, "either", password, &["--skip-ssl"], WHO);
        assert_eq!(said.as_deref(), Ok("either@%"), "{}", tidegate.log());
    }
    let wrong = ask(&tidegate, "either", "wrong", &[], WHO).expect_err("a wrong password");
    assert!(wrong.contains("1045"), "{wrong}");
}

#[test]
fn a_plugin_that_is_not_enabled_is_refused_like_a_wrong_password() {
    let servers = servers();
    let tidegate = Plan::new(&servers.group).start();
    let said = ask(&tidegate, "signs", &servers.signs, &[], WHO).expect_err("not enabled");
    let denied = "Access denied for user 'signs'@'127.0.0.1' (using password: YES)";
    assert!(said.contains(denied), "{said}");
    tidegate
        .wait_log("uses ed25519, which is not enabled on the listener")
        .expect("the reason");
}
