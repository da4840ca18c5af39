//! TLS with clients and with servers, as MariaDB's own client sees it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use tidegate_testkit::pki::{Authority, Identity, IdentityFiles, Wish};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{PATIENCE, Scratch, ServerGroup, Tidegate, wait_until};

use crate::house::{Plan, document, group, value, wait_document};

/// Files that processes of any user may read.
struct Files {
    scratch: Arc<Scratch>,
    authority: Authority,
    ca: String,
}

impl Files {
    fn new() -> Files {
        let scratch = Scratch::new("tidegate-tls").expect("a folder");
        let authority = Authority::new("Test CA").expect("an authority");
        let ca = scratch.write("ca.pem", authority.pem()).expect("a file");
        Files {
            ca: ca.display().to_string(),
            scratch,
            authority,
        }
    }

    /// A new certificate under this file name.
    fn issue(&self, name: &str, wish: &Wish) -> IdentityFiles {
        let identity = self.authority.issue(wish).expect("a certificate");
        identity.write(&self.scratch, name).expect("files")
    }
}

/// The lines of a listener with this certificate.
fn secured(identity: &IdentityFiles) -> String {
    let (key, cert) = (identity.key.display(), identity.cert.display());
    format!("ssl=true\nssl_key={key}\nssl_cert={cert}\n")
}

/// MariaDB's client as the application's user, who talks to readwritesplit.
fn command(tidegate: &Tidegate, group: &ServerGroup) -> Command {
    let app = &group.accounts().app;
    let mut command = Command::new("mariadb");
    command
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
        .args(["--batch", "--skip-column-names"])
        .arg(format!("--port={}", tidegate.address("rw").port()))
        .args([
            format!("--user={}", app.user),
            format!("--password={}", app.password),
        ]);
    command
}

/// What MariaDB's client prints for a statement, or what it says went wrong.
fn client(tidegate: &Tidegate, options: &[&str], sql: &str) -> Result<String, String> {
    client_of(tidegate, group(), options, sql)
}

fn client_of(
    tidegate: &Tidegate,
    group: &ServerGroup,
    options: &[&str],
    sql: &str,
) -> Result<String, String> {
    let mut command = command(tidegate, group);
    let output = command.args(options).args(["--execute", sql]).output();
    let output = output.expect("the mariadb client");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn ca_option(files: &Files) -> String {
    format!("--ssl-ca={}", files.ca)
}

#[test]
fn a_client_with_tls_is_served_and_its_cipher_is_shown() {
    let files = Files::new();
    let identity = files.issue("proxy", &Wish::new("proxy"));
    let tidegate = Plan::new(group()).listener(&secured(&identity)).start();
    let ca = ca_option(&files);
    for (version, cipher) in [
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ] {
        let version = format!("--tls-version={version}");
        let options = ["--ssl", &ca, "--ssl-verify-server-cert", &version];
        let said = client(&tidegate, &options, "SELECT 40 + 2; SELECT REPEAT('x', 10)");
        assert_eq!(said.as_deref(), Ok("42\nxxxxxxxxxx"));
        tidegate
            .wait_log(&format!("TLS with the client: {cipher}"))
            .expect("the cipher in the log");
    }
}

/// What `openssl` sees of the certificate that the listener presents.
fn presented(tidegate: &Tidegate) -> String {
    let connect = format!("127.0.0.1:{}", tidegate.address("rw").port());
    let output = Command::new("openssl")
        .args(["s_client", "-starttls", "mysql", "-connect", &connect])
        .stdin(Stdio::null())
        .output()
        .expect("openssl");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn new_certificates_count_without_a_restart_and_without_dropping_anybody() {
    let files = Files::new();
    let identity = files.issue("proxy", &Wish::new("first"));
    let mut tidegate = Plan::new(group()).listener(&secured(&identity)).start();
    let ca = ca_option(&files);
    let mut patient = Shell::open(&tidegate, &["--ssl", &ca]);
    assert_eq!(patient.ask("SELECT 1"), "1");
    assert!(
        presented(&tidegate).contains("subject=CN = first"),
        "{}",
        presented(&tidegate)
    );

    files.issue("proxy", &Wish::new("second"));
    tidegate.signal(Signal::HUP).expect("SIGHUP");
    tidegate
        .wait_log("TLS files read again for 1 listeners")
        .expect("a reload");
    assert!(presented(&tidegate).contains("subject=CN = second"));

    let third = files.issue("proxy", &Wish::new("third"));
    let shown = || presented(&tidegate).contains("subject=CN = third");
    wait_until("the files to be noticed", shown).expect("a reload by itself");

    std::fs::write(&third.key, "not a key").expect("a file");
    tidegate
        .wait_log("what was read before stays in force")
        .expect("a refusal");
    let log = tidegate.log();
    assert!(
        log.contains("listener 'RW-Split-Listener': ssl_key '"),
        "{log}"
    );
    assert!(log.contains("it holds no private key in PEM form"), "{log}");
    assert!(presented(&tidegate).contains("subject=CN = third"));
    assert_eq!(patient.ask("SELECT 2"), "2");
}

/// A client that stays.
struct Shell {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Shell {
    fn open(tidegate: &Tidegate, options: &[&str]) -> Shell {
        let mut process = command(tidegate, group())
            .args(options)
            .arg("--unbuffered")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mariadb client");
        let answers = BufReader::new(process.stdout.take().expect("an output"));
        Shell { process, answers }
    }

    /// The one line that the statement's answer has.
    fn ask(&mut self, sql: &str) -> String {
        let input = self.process.stdin.as_mut().expect("an input");
        writeln!(input, "{sql};").expect("the client listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.trim().to_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Whatever it thinks of that.
        let _ = self.process.wait();
    }
}

/// A server that takes encrypted TCP connections only, with its files.
struct SecureServer {
    files: Files,
    group: ServerGroup,
}

impl SecureServer {
    fn start() -> SecureServer {
        let files = Files::new();
        let identity = files.issue("server", &Wish::new("db"));
        let group = ServerGroup::builder()
            .option(&format!("ssl_ca={}", files.ca))
            .option(&format!("ssl_cert={}", identity.cert.display()))
            .option(&format!("ssl_key={}", identity.key.display()))
            .option("require_secure_transport=1")
            .start()
            .expect("a server with TLS");
        SecureServer { files, group }
    }

    /// The server presents this certificate from now on.
    fn present(&self, wish: &Wish) {
        self.files.issue("server", wish);
        self.group
            .primary()
            .sql("FLUSH SSL")
            .expect("the new certificate");
    }

    fn plan(&self, lines: &str) -> Plan<'_> {
        let ca = &self.files.ca;
        Plan::new(&self.group).every_server(&format!("ssl=true\nssl_ca={ca}\n{lines}"))
    }
}

/// The service behind the listener `rw`.
const SERVICE: &str = "RW-Split-Router";

const VERIFY: &str = "ssl_verify_peer_certificate=true\nssl_verify_peer_host=true\n";

#[test]
fn servers_are_reached_with_tls_by_sessions_monitors_and_account_managers() {
    let server = SecureServer::start();
    let tidegate = server.plan(VERIFY).start();
    let app = Login::new(&server.group.accounts().app);
    let mut client = RawClient::connect(tidegate.address("rw"), &app).expect("a login");
    let cipher = value(
        &mut client,
        "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME='Ssl_cipher'",
    );
    assert_eq!(cipher, "TLS_AES_256_GCM_SHA384");
    let sessions = document(&tidegate, "/sessions");
    let shown = &sessions["data"][0]["attributes"];
    assert_eq!(
        shown["connections"][0]["cipher"], "TLS_AES_256_GCM_SHA384",
        "{shown}"
    );
    assert_eq!(shown["client"]["cipher"], "", "{shown}");
    RawClient::connect(tidegate.address("rw"), &app).expect("a login");
    tidegate
        .wait_log("TLS with server 'primary': TLS_AES_256_GCM_SHA384, resumed")
        .expect("a resumed session");
}

#[test]
fn compression_towards_servers_lies_under_tls() {
    let server = SecureServer::start();
    let tidegate = server.plan("compression=zlib\n").start();
    let app = Login::new(&server.group.accounts().app);
    let mut client = RawClient::connect(tidegate.address("rw"), &app).expect("a login");
    let sql = "SELECT GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME) \
               FROM information_schema.SESSION_STATUS \
               WHERE VARIABLE_NAME IN ('Compression', 'Ssl_cipher')";
    assert_eq!(value(&mut client, sql), "ON,TLS_AES_256_GCM_SHA384");
    let long = "SELECT REPEAT('t', 5 << 20)";
    assert_eq!(value(&mut client, long).len(), 5 << 20);
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_not_used_and_the_log_says_why() {
    let server = SecureServer::start();
    let refusal = |lines: &str, text: &str| {
        let tidegate = server.plan(lines).start();
        tidegate.wait_log(text).expect("the reason in the log");
        let app = Login::new(&server.group.accounts().app);
        RawClient::connect(tidegate.address("rw"), &app).expect_err("no server");
    };
    server.present(&Wish::new("db").hosts(&["db.elsewhere"]));
    refusal(
        VERIFY,
        "use the name that stands in it, or switch ssl_verify_peer_host off",
    );
    let tidegate = server.plan("ssl_verify_peer_certificate=true\n").start();
    let app = Login::new(&server.group.accounts().app);
    RawClient::connect(tidegate.address("rw"), &app).expect("the name does not matter");
    server.present(&Wish::new("db").expired());
    refusal(VERIFY, "it has expired; it has to be renewed");
    server.present(&Wish::new("db"));
    let stranger = Authority::new("Another CA").expect("an authority");
    let ca = server
        .files
        .scratch
        .write("other.pem", stranger.pem())
        .expect("a file");
    let lines = format!("ssl=true\nssl_ca={}\n{VERIFY}", ca.display());
    let tidegate = Plan::new(&server.group).every_server(&lines).start();
    tidegate
        .wait_log("nobody in ssl_ca of the server's section has signed it")
        .expect("the reason in the log");
}

#[test]
fn a_server_without_tls_is_not_used_in_the_clear() {
    // A later server makes a certificate of its own unless it is told not to.
    let builder = ServerGroup::builder().option("skip_ssl");
    let group = builder.start().expect("a server without TLS");
    let tidegate = Plan::new(&group).every_server("ssl=true\n").start();
    tidegate
        .wait_log("the server does not offer tls")
        .expect("the reason in the log");
}

#[test]
fn a_listener_without_a_certificate_makes_one() {
    let tidegate = Plan::new(group()).listener("ssl=true\n").start();
    assert_eq!(
        client(&tidegate, &["--ssl"], "SELECT 42").as_deref(),
        Ok("42")
    );
    assert!(presented(&tidegate).contains("subject=CN = Tidegate"));
}

#[test]
fn whoever_does_not_believe_us_or_will_not_encrypt_is_told_and_noted() {
    let files = Files::new();
    let identity = files.issue("proxy", &Wish::new("proxy"));
    let tidegate = Plan::new(group()).listener(&secured(&identity)).start();
    let said = client(&tidegate, &["--skip-ssl"], "SELECT 1").expect_err("it is refused");
    assert!(
        said.contains("1045") && said.contains("must use TLS"),
        "{said}"
    );
    let stranger = Authority::new("Another CA").expect("an authority");
    let other = files
        .scratch
        .write("other.pem", stranger.pem())
        .expect("a file");
    let ca = format!("--ssl-ca={}", other.display());
    client(
        &tidegate,
        &["--ssl", &ca, "--ssl-verify-server-cert"],
        "SELECT 1",
    )
    .expect_err("no trust");
    tidegate
        .wait_log("TLS with the client failed: the client broke it off: it does not know who signed our certificate")
        .expect("the reason in the log");
    assert!(
        !tidegate.log().contains("   error  :"),
        "{}",
        tidegate.log()
    );
}

#[test]
fn clients_must_show_certificates_that_count_where_that_is_asked_for() {
    let files = Files::new();
    let proxy = files.issue("proxy", &Wish::new("proxy"));
    let app = files
        .authority
        .issue(&Wish::new("app"))
        .expect("a certificate");
    let stolen = files
        .authority
        .issue(&Wish::new("stolen"))
        .expect("a certificate");
    let crl = files.authority.revoke(&[&stolen]).expect("a list");
    let crl = files.scratch.write("crl.pem", &crl).expect("a file");
    let lines = format!(
        "{}ssl_ca={}\nssl_crl={}\nssl_verify_peer_certificate=true\nssl_verify_peer_host=true\n",
        secured(&proxy),
        files.ca,
        crl.display()
    );
    let tidegate = Plan::new(group()).listener(&lines).start();
    let with = |identity: &IdentityFiles| {
        let cert = format!("--ssl-cert={}", identity.cert.display());
        let key = format!("--ssl-key={}", identity.key.display());
        client(&tidegate, &["--ssl", &cert, &key], "SELECT 42")
    };
    let refused = |identity: &IdentityFiles, reason: &str| {
        with(identity).expect_err("a refusal");
        tidegate.wait_log(reason).expect("the reason in the log");
    };
    let write =
        |identity: &Identity, name: &str| identity.write(&files.scratch, name).expect("files");
    assert_eq!(with(&write(&app, "app")).as_deref(), Ok("42"));
    client(&tidegate, &["--ssl"], "SELECT 42").expect_err("no certificate");
    tidegate
        .wait_log("presented no certificate, which ssl_verify_peer_certificate demands")
        .expect("the reason in the log");
    refused(&write(&stolen, "stolen"), "it is revoked (ssl_crl)");
    refused(
        &files.issue("old", &Wish::new("old").expired()),
        "it has expired",
    );
    refused(
        &files.issue("server", &Wish::new("s").for_servers()),
        "does not allow this use",
    );
    refused(
        &files.issue("away", &Wish::new("away").hosts(&["10.1.2.3"])),
        "ssl_verify_peer_host",
    );
    let stranger = Authority::new("Another CA").expect("an authority");
    let foreign = stranger.issue(&Wish::new("app")).expect("a certificate");
    refused(
        &write(&foreign, "foreign"),
        "nobody in ssl_ca of the listener has signed it",
    );
}

#[test]
fn accounts_get_the_encryption_that_they_require() {
    let server = SecureServer::start();
    let proxy = server.files.issue("proxy", &Wish::new("proxy"));
    let app = server.files.issue("app", &Wish::new("app"));
    let other = server.files.issue("other", &Wish::new("other"));
    let name = &server.group.accounts().app.user;
    let lines = format!("{}ssl_ca={}\n", secured(&proxy), server.files.ca);
    // Towards the server the proxy shows the certificate of the application.
    let identity = format!(
        "ssl_cert={}\nssl_key={}\n",
        app.cert.display(),
        app.key.display()
    );
    let globals = "users_refresh_time=0s\n";
    let tidegate = server
        .plan(&identity)
        .listener(&lines)
        .globals(globals)
        .start();
    let log_in = |identity: Option<&IdentityFiles>| {
        let mut options = vec!["--ssl".to_owned(), "--tls-version=TLSv1.3".to_owned()];
        if let Some(identity) = identity {
            options.push(format!("--ssl-cert={}", identity.cert.display()));
            options.push(format!("--ssl-key={}", identity.key.display()));
        }
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        client_of(&tidegate, &server.group, &options, "SELECT 42")
    };
    let require = |what: &str| {
        let sql = format!("ALTER USER '{name}'@'%' REQUIRE {what}");
        server
            .group
            .primary()
            .sql(&sql)
            .expect("an altered account");
    };
    let ciphers = "CIPHER 'TLS_AES_256_GCM_SHA384'";
    for (what, bare, with_other) in [
        ("SSL".to_owned(), true, true),
        ("X509".to_owned(), false, true),
        ("ISSUER '/CN=Test CA'".to_owned(), false, true),
        ("ISSUER '/CN=Another CA'".to_owned(), false, false),
        ("SUBJECT '/CN=app'".to_owned(), false, false),
        (
            format!("SUBJECT '/CN=app' AND ISSUER '/CN=Test CA' AND {ciphers}"),
            false,
            false,
        ),
        (ciphers.to_owned(), true, true),
        (
            "CIPHER 'TLS_CHACHA20_POLY1305_SHA256'".to_owned(),
            false,
            false,
        ),
    ] {
        require(&what);
        tidegate
            .rest()
            .request("POST", &format!("/v1/services/{SERVICE}/reload"), &[], "")
            .expect("a reload");
        let fits = !what.contains("Another") && !what.contains("CHACHA20");
        assert_eq!(
            log_in(Some(&app)).is_ok(),
            fits,
            "{what}: {}",
            tidegate.log()
        );
        assert_eq!(log_in(None).is_ok(), bare, "{what} without certificate");
        assert_eq!(
            log_in(Some(&other)).is_ok(),
            with_other,
            "{what} with another's"
        );
    }
    for reason in [
        "requires a client certificate (REQUIRE X509 or more) and none was presented",
        "requires SUBJECT '/CN=app', the certificate's is '/CN=other'",
        "requires ISSUER '/CN=Another CA', the certificate's is '/CN=Test CA'",
        "requires CIPHER 'TLS_CHACHA20_POLY1305_SHA256', this is 'TLS_AES_256_GCM_SHA384'",
    ] {
        assert!(
            tidegate.log().contains(reason),
            "{reason}: {}",
            tidegate.log()
        );
    }
}

#[test]
fn a_key_with_a_passphrase_is_opened_and_every_mistake_is_reported_before_the_start() {
    let files = Files::new();
    let identity = files.issue("proxy", &Wish::new("proxy"));
    let sealed = identity.key.with_extension("sealed");
    let made = Command::new("openssl")
        .args([
            "pkcs8",
            "-topk8",
            "-v2",
            "aes-256-cbc",
            "-passout",
            "pass:sesame",
            "-in",
        ])
        .arg(&identity.key)
        .arg("-out")
        .arg(&sealed)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
    files.scratch.give_away(&sealed).expect("a file for all");
    let lines = |passphrase: &str| {
        let (key, cert) = (sealed.display(), identity.cert.display());
        format!("ssl=true\nssl_key={key}\nssl_cert={cert}\nssl_passphrase={passphrase}\n")
    };
    let word = files
        .scratch
        .write("word", "sesame\nand more\n")
        .expect("a file");
    let source = format!("file:{}", word.display());
    let tidegate = Plan::new(group()).listener(&lines(&source)).start();
    assert_eq!(
        client(&tidegate, &["--ssl"], "SELECT 42").as_deref(),
        Ok("42")
    );

    let servers = "ssl=true\nssl_ca=/no/such/file\nssl_cipher=NONSENSE\n";
    let plan = Plan::new(group())
        .listener(&lines("pass:wrong"))
        .every_server(servers);
    let mut refused = plan.builder().launch().expect("a process");
    let status = refused.wait(PATIENCE).expect("an end");
    assert_eq!(status.code(), Some(1));
    let log = refused.log();
    for text in [
        "listener 'RW-Split-Listener': ssl_key '",
        "ssl_passphrase does not open it",
        "server 'primary': ssl_ca '/no/such/file': there is no such file",
        "server 'replica2': ssl_cipher: 'NONSENSE' is no cipher suite",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
    assert!(!log.contains("pass:wrong"), "{log}");
}

#[test]
fn an_encrypted_connection_is_used_again_and_its_cipher_is_still_shown() {
    let server = SecureServer::start();
    let pool = format!("{VERIFY}persistpoolmax=10\npersistmaxtime=300s\n");
    let text = server.plan(&pool).text().replace("threads=2", "threads=1");
    let tidegate = Tidegate::start(&text).expect("tidegate");
    let app = Login::new(&server.group.accounts().app);
    let number = |kept: u64| {
        let mut client = RawClient::connect(tidegate.address("rw"), &app).expect("a login");
        assert_eq!(value(&mut client, "SELECT 'well'"), "well");
        let sessions = document(&tidegate, "/sessions");
        let shown = sessions["data"][0]["attributes"]["connections"][0].clone();
        assert_eq!(shown["cipher"], "TLS_AES_256_GCM_SHA384", "{shown}");
        client.quit().expect("a goodbye");
        wait_document(&tidegate, "/servers/primary", |server| {
            let figures = &server["data"]["attributes"]["statistics"];
            figures["persistent_connections"] == kept && figures["connections"] == 0
        });
        shown["connection_id"].clone()
    };
    let first = number(1);
    wait_until("the connection to be used again", || number(1) == first)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
}
