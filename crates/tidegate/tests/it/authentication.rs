//! Clients that prove who they are by other plugins than `mysql_native_password`, and servers that are
//! answered by them, as MariaDB's own client sees it.

use rustix::process::Signal;
use tidegate_testkit::mariadb::Account;
use tidegate_testkit::pki::{Authority, Wish};
use tidegate_testkit::{Scratch, ServerGroup, wait_until};

use crate::house::Plan;
use crate::others::ask;

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

const WHO: &str = "SELECT CURRENT_USER()";

#[test]
fn a_client_that_hands_its_password_over_is_answered_for_with_signatures() {
    let servers = servers();
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let secured = secured(&scratch);
    for (lines, options) in [(secured.as_str(), TLS.to_vec()), ("", vec!["--skip-ssl"])] {
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
fn a_password_is_left_to_the_servers_where_that_is_wanted() {
    let servers = servers();
    let listener = "authenticator=Ed25519Auth\n\
                    authenticator_options=ed_mode=sha256,skip_authentication=true\n";
    let tidegate = Plan::new(&servers.group).listener(listener).start();
    let ask = |user: &str, password: &str| ask(&tidegate, user, password, &["--skip-ssl"], WHO);
    assert_eq!(ask("signs", &servers.signs).as_deref(), Ok("signs@%"));
    let wrong = ask("signs", "wrong").expect_err("a wrong password");
    assert!(wrong.contains("ERROR"), "{wrong}");
    tidegate
        .wait_log("server 'primary' refused the login")
        .expect("a server has found it");
    let nobody = ask("no_such_account", "any").expect_err("no account");
    assert!(nobody.contains("1045"), "{nobody}");
    tidegate
        .wait_log("login of 'no_such_account'@'127.0.0.1' failed")
        .expect("the proxy has refused it");
}

/// Lines of a listener with TLS, for a client with [`TLS`].
pub(crate) fn secured(scratch: &Scratch) -> String {
    let authority = Authority::new("Test CA").expect("an authority");
    let identity = authority.issue(&Wish::new("proxy")).expect("a certificate");
    let files = identity.write(scratch, "proxy").expect("files");
    format!(
        "ssl=true\nssl_key={}\nssl_cert={}\n",
        files.key.display(),
        files.cert.display()
    )
}

/// Options of a client that uses TLS and takes any certificate.
const TLS: [&str; 2] = ["--ssl", "--ssl-verify-server-cert=0"];

#[test]
fn a_password_is_tried_on_a_server_where_no_account_is_looked_at() {
    let servers = servers();
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let listener = format!(
        "{}authenticator_options=clear_pw_passthrough=true\n",
        secured(&scratch)
    );
    let tidegate = Plan::new(&servers.group)
        .listener(&listener)
        .globals("users_refresh_time=-1s\nmax_auth_errors_until_block=3\n")
        .start();
    let ask = |user: &str, password: &str, options: &[&str]| {
        ask(&tidegate, user, password, &[&TLS, options].concat(), WHO)
    };
    for _ in 0..2 {
        assert_eq!(ask("signs", &servers.signs, &[]).as_deref(), Ok("signs@%"));
        assert_eq!(
            ask("native", &servers.native, &[]).as_deref(),
            Ok("native@%")
        );
    }
    // The proxy knows nothing of this one.
    let late = password();
    let make = format!("CREATE USER late@'%' IDENTIFIED BY '{late}'");
    servers.group.primary().sql(&make).expect("an account");
    assert_eq!(ask("late", &late, &[]).as_deref(), Ok("late@%"));
    let change = |user: &str, password: &str| {
        let script = format!(
            "--disable_query_log\nchange_user {user},{password},;\nSELECT CURRENT_USER() AS who;\n"
        );
        let port = format!("--port={}", tidegate.address("rw").port());
        let place = ["--host=127.0.0.1".to_owned(), "--ssl".to_owned(), port];
        let app = &servers.group.accounts().app;
        crate::grid::play(&scratch, &place, [&app.user, &app.password], &script)
    };
    assert_eq!(
        change("signs", &servers.signs).as_deref(),
        Ok("who\nsigns@%\nok\n")
    );
    let wrong = change("signs", "wrong").expect_err("a wrong password");
    assert!(wrong.contains("1045"), "{wrong}");
    assert_eq!(
        ask("native", &servers.native, &[]).as_deref(),
        Ok("native@%")
    );
    let missing = ask("native", &servers.native, &["--database=no_such_database"]);
    let missing = missing.expect_err("no such database");
    assert!(missing.contains("1044"), "{missing}");
    for user in ["native", "no_such_account", "signs"] {
        let wrong = ask(user, "wrong", &[]).expect_err("a wrong password");
        assert!(
            wrong.contains(&format!("1045 (28000): Access denied for user '{user}'@'")),
            "{wrong}"
        );
    }
    tidegate
        .wait_log("login of 'signs'@'127.0.0.1' failed: server 'primary' refused the login")
        .expect("the reason");
    let blocked = ask("native", &servers.native, &[]).expect_err("a blocked address");
    assert!(blocked.contains("1129"), "{blocked}");
}

#[test]
fn servers_that_decide_about_clients_are_connected_to_at_the_login() {
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let listener = format!(
        "{}authenticator_options=clear_pw_passthrough=true\n",
        secured(&scratch)
    );
    let plan = Plan::new(crate::house::group())
        .listener(&listener)
        .split("lazy_connect=true\n");
    let mut tidegate = plan.builder().launch().expect("a process");
    tidegate.wait(tidegate_testkit::PATIENCE).expect("its end");
    let said = "so that service 'RW-Split-Router' cannot have lazy_connect=true";
    assert!(tidegate.log().contains(said), "{}", tidegate.log());
}

#[test]
fn the_first_digits_of_hashes_that_differ_are_logged_where_that_is_wanted() {
    let servers = servers();
    let listener = "authenticator_options=log_password_mismatch=true\n";
    let tidegate = Plan::new(&servers.group).listener(listener).start();
    let hash = servers
        .group
        .primary()
        .value(&format!("SELECT PASSWORD('{}')", servers.native))
        .expect("a hash");
    ask(&tidegate, "native", "wrong", &[], WHO).expect_err("a wrong password");
    let expect = format!(
        "login of 'native'@'127.0.0.1' failed: the password does not match: \
         the account's hash begins with {}, that of the answer with ",
        &hash[1..9]
    );
    tidegate.wait_log(&expect).expect("the reason");
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
        .wait_log("server 'primary' refused the login: the server wants client_ed25519, the session cannot offer it")
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

#[test]
fn an_address_is_blocked_after_exactly_so_many_failures_in_a_row() {
    let group = crate::house::group();
    let plan = Plan::new(group).globals("max_auth_errors_until_block=3\n");
    let tidegate = plan.start();
    let app = &group.accounts().app;
    let wrong = |count: usize| {
        for _ in 0..count {
            let said =
                ask(&tidegate, &app.user, "wrong", &[], "DO 1").expect_err("a wrong password");
            assert!(said.contains("ERROR 1045"), "{said}");
        }
    };
    let right = || ask(&tidegate, &app.user, &app.password, &[], "SELECT 1");
    wrong(2);
    assert_eq!(right().as_deref(), Ok("1"));
    wrong(3);
    let said = right().expect_err("a blocked address");
    assert!(said.contains("1129"), "{said}");
    tidegate
        .wait_log("host '127.0.0.1' is blocked for a minute: 3 logins from there failed")
        .expect("a warning");
}

/// A file that processes of the program's user may read and nobody else.
pub(crate) fn private_file(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.write(name, text).expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).expect("its mode");
    path.display().to_string()
}

#[test]
fn a_client_that_signs_is_answered_for_with_the_password_of_a_file() {
    let servers = servers();
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let native = &servers.native;
    let mapping = format!(
        r#"{{"user_map": [{{"original_user": "signs", "mapped_user": "native"}}],
             "server_credentials": [{{"mapped_user": "native", "password": "{native}"}}]}}"#
    );
    let file = private_file(&scratch, "mapping.json", &mapping);
    let listener = format!("authenticator=Ed25519Auth,MariaDBAuth\nuser_mapping_file={file}\n");
    let tidegate = Plan::new(&servers.group).listener(&listener).start();
    let said = ask(&tidegate, "signs", &servers.signs, &[], WHO);
    assert_eq!(said.as_deref(), Ok("native@%"), "{}", tidegate.log());
    let wrong = ask(&tidegate, "signs", "wrong", &[], WHO).expect_err("a wrong password");
    assert!(wrong.contains("1045"), "{wrong}");
    // A client that changes to another user is another user to servers, too.
    let said = ask(&tidegate, "native", native, &[], WHO);
    assert_eq!(said.as_deref(), Ok("native@%"));
}

#[test]
fn a_mapping_file_is_read_again_and_a_broken_one_changes_nothing() {
    let servers = servers();
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let native = &servers.native;
    let mapping = |user: &str| {
        format!(
            r#"{{"user_map": [{{"original_user": "{user}", "mapped_user": "native"}}],
                 "server_credentials": [{{"mapped_user": "native", "password": "{native}"}}]}}"#
        )
    };
    let file = private_file(&scratch, "mapping.json", &mapping("somebody"));
    let listener = format!("authenticator=Ed25519Auth,MariaDBAuth\nuser_mapping_file={file}\n");
    let mut tidegate = Plan::new(&servers.group).listener(&listener).start();
    ask(&tidegate, "signs", &servers.signs, &[], WHO).expect_err("nobody can answer for it");

    // Without being told.
    private_file(&scratch, "mapping.json", &mapping("signs"));
    tidegate
        .wait_log("mapping files read again for 1 listeners")
        .expect("a look at the file");
    let said = ask(&tidegate, "signs", &servers.signs, &[], WHO);
    assert_eq!(said.as_deref(), Ok("native@%"), "{}", tidegate.log());

    // On request.
    private_file(&scratch, "mapping.json", r#"{"user_map": "#);
    tidegate.signal(Signal::HUP).expect("SIGHUP");
    tidegate
        .wait_log("what was read before stays in force: listener 'RW-Split-Listener': user_mapping_file: ")
        .expect("a refusal");
    let said = ask(&tidegate, "signs", &servers.signs, &[], WHO);
    assert_eq!(said.as_deref(), Ok("native@%"), "{}", tidegate.log());
}

#[test]
fn a_mapping_file_that_others_may_read_is_refused_at_the_start() {
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let file = scratch.write("mapping.json", "{}").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&file, mode).expect("its mode");
    let listener = format!("user_mapping_file={}\n", file.display());
    let plan = Plan::new(crate::house::group()).listener(&listener);
    let mut tidegate = plan.builder().launch().expect("a process");
    tidegate.wait(tidegate_testkit::PATIENCE).expect("its end");
    assert!(tidegate.log().contains("chmod 600"), "{}", tidegate.log());
}

#[test]
fn accounts_of_a_file_are_added_or_are_all_there_is() {
    let group = crate::house::group();
    let scratch = Scratch::new("tidegate-auth").expect("a folder");
    let app = &group.accounts().app;
    let extra = password();
    let hash = group
        .primary()
        .value(&format!("SELECT PASSWORD('{extra}')"));
    let hash = hash.expect("a hash");
    let accounts =
        format!(r#"{{"user": [{{"user": "only_here", "host": "%", "password": "{hash}"}}]}}"#);
    let file = private_file(&scratch, "accounts.json", &accounts);
    for (usage, app_gets_in) in [("add_when_load_ok", true), ("file_only_always", false)] {
        let split = format!("user_accounts_file={file}\nuser_accounts_file_usage={usage}\n");
        let tidegate = Plan::new(group).split(&split).start();
        ask(&tidegate, "only_here", &extra, &[], WHO).expect_err("servers do not know it");
        tidegate
            .wait_log("refused the login")
            .expect("the proxy let it in, a server did not");
        let said = ask(&tidegate, &app.user, &app.password, &[], "SELECT 1");
        assert_eq!(said.is_ok(), app_gets_in, "{usage}: {said:?}");
    }
}

#[test]
fn an_account_made_through_the_proxy_is_known_without_a_failed_login() {
    let servers = servers();
    let plan = Plan::new(&servers.group)
        .globals("users_refresh_time=-1s\nmax_auth_errors_until_block=0\n");
    let tidegate = plan.start();
    let admin = &servers.group.accounts().admin;
    let new = password();
    let create = format!("CREATE USER fresh@'%' IDENTIFIED BY '{new}'");
    ask(&tidegate, &admin.user, &admin.password, &[], &create).expect("a new account");
    wait_until("the account to be known", || {
        ask(&tidegate, "fresh", &new, &[], "DO 1").is_ok()
    })
    .expect("a refresh");
    let change = format!(
        "SET PASSWORD FOR fresh@'%' = PASSWORD('{}')",
        servers.native
    );
    ask(&tidegate, &admin.user, &admin.password, &[], &change).expect("another password");
    wait_until("the password to be known", || {
        ask(&tidegate, "fresh", &servers.native, &[], "DO 1").is_ok()
    })
    .expect("a refresh");
}

#[test]
fn an_account_that_is_newer_than_the_last_load_gets_in_once_another_load_is_allowed() {
    let servers = servers();
    let new = password();
    let make = |user: &str| {
        let sql = format!("CREATE USER {user}@'%' IDENTIFIED BY '{new}'");
        servers.group.primary().sql(&sql).expect("an account");
    };
    let start = |time: &str| {
        Plan::new(&servers.group)
            .globals(&format!("users_refresh_time={time}\n"))
            .start()
    };
    let (seldom, always) = (start("3600s"), start("0s"));
    // The first failure may load; after it an hour passes.
    ask(&seldom, "no_such_account", "any", &[], "DO 1").expect_err("no account");
    make("late");
    ask(&seldom, "late", &new, &[], "DO 1").expect_err("not known yet");
    let said = ask(&always, "late", &new, &[], WHO);
    assert_eq!(
        said.as_deref(),
        Ok("late@%"),
        "and the client noticed nothing"
    );
    assert!(
        !always.log().contains("login of 'late'"),
        "{}",
        always.log()
    );
}

#[test]
fn an_account_for_a_host_name_takes_clients_from_there() {
    let servers = servers();
    let secret = password();
    let make = format!(
        "CREATE USER named@localhost IDENTIFIED BY '{secret}';
         CREATE USER named@'10.%' IDENTIFIED BY '{secret}';"
    );
    servers.group.primary().sql(&make).expect("accounts");
    let known = Plan::new(&servers.group).start();
    // The proxy lets it in by the name of its address; the servers look no names up.
    ask(&known, "named", &secret, &[], WHO).expect_err("the servers do not");
    known
        .wait_log("server 'primary' refused the login")
        .expect("a refusal by the server");
    let unknown = Plan::new(&servers.group)
        .globals("skip_name_resolve=true\n")
        .start();
    ask(&unknown, "named", &secret, &[], WHO).expect_err("no name");
    unknown
        .wait_log("would match a host name that the client's address does not have")
        .expect("the reason");
}

#[test]
fn accounts_that_will_not_work_are_listed_with_their_reasons() {
    let servers = servers();
    let make = "CREATE USER remote@'10.%' IDENTIFIED BY 'x'; CREATE USER tls@'%' REQUIRE SSL;";
    servers.group.primary().sql(make).expect("accounts");
    let tidegate = Plan::new(&servers.group).start();
    tidegate
        .wait_log("service 'RW-Split-Router': accounts that will not work through it: ")
        .expect("a warning");
    let service = crate::house::document(&tidegate, "/services/RW-Split-Router");
    let found: Vec<String> = service["data"]["attributes"]["users_troubles"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|trouble| {
            let text = |name: &str| trouble[name].as_str().unwrap_or_default().to_owned();
            format!("{}@{}: {}", text("user"), text("host"), text("reason"))
        })
        .collect();
    let expect = [
        "remote@10.%: servers see its clients at '127.0.0.1', where no account has this name",
        "signs@%: no listener of the service lets it log in by ed25519",
        "tls@%: it requires TLS, and no listener of the service has it",
    ];
    assert_eq!(found, expect);
}
