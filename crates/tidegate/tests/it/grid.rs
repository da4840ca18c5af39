//! The grid of logins: how an account proves itself, what the connection is, who it is to servers, and
//! whether it logs in, changes to another user, loses its connection to a server, or takes one over.
//!
//! The client is MariaDB's own `mariadb-test`, which knows COM_CHANGE_USER.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tidegate_testkit::mariadb::Account;
use tidegate_testkit::{Scratch, ServerGroup, Tidegate};

use crate::authentication::{private_file, secured};
use crate::house::{Plan, document};
use crate::pam::Service;

/// The accounts, by how they prove themselves: the proxy alone knows one of `caching_sha2_password`, which
/// MariaDB's servers do not have. The system knows the last one (PAM).
const USERS: [&str; 4] = ["native", "signs", "sha2", "system"];

/// A password, and what MySQL keeps of it for `caching_sha2_password`.
const SHA2_PASSWORD: &str = "of-the-sha2-user";
const SHA2_STORED: &str = "$A$005$01234567890123456789aPpQuL1xIDJoqZLvqm0Ro1.DRF7AGfw8fgbgKF4TSZ2";

/// Where clients connect.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Transport {
    Plain,
    Tls,
    Socket,
}

/// What a test is about.
struct Stage {
    group: ServerGroup,
    tidegate: Tidegate,
    scratch: std::sync::Arc<Scratch>,
    passwords: Vec<String>,
    /// Whom servers see all clients as; `None`: as themselves.
    mapped: Option<&'static str>,
    /// The system's login service.
    _service: Service,
}

impl Stage {
    /// Servers, and a proxy with a listener for each transport.
    fn new(mapped: Option<&'static str>) -> Self {
        let group = ServerGroup::builder()
            .option("plugin_load_add=auth_ed25519")
            .option("plugin_load_add=auth_pam_v1")
            .start()
            .expect("a server group");
        let scratch = Scratch::new("tidegate-grid").expect("a folder");
        let password = || Account::random("").expect("a password").password;
        let passwords = vec![password(), password(), SHA2_PASSWORD.to_owned(), password()];
        let service = Service::new(&format!("[ \"$password\" = {} ]", passwords[3]));
        let [native, signs, sha2] = [&passwords[0], &passwords[1], &passwords[2]];
        let reports = password();
        let accounts = format!(
            "CREATE USER native@'%' IDENTIFIED BY '{native}';
             CREATE USER signs@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{signs}');
             CREATE USER sha2@'%' IDENTIFIED BY '{sha2}';
             CREATE USER system@'%' IDENTIFIED VIA pam USING '{service}';
             CREATE USER reports@'%' IDENTIFIED BY '{reports}';
             GRANT ALL ON test.* TO native@'%', signs@'%', sha2@'%', system@'%', reports@'%';",
            service = service.name
        );
        group.primary().sql(&accounts).expect("accounts");
        let known_here = format!(
            r#"{{"user": [{{"user": "sha2", "host": "127.0.0.1", "plugin": "caching_sha2_password", "authentication_string": "{0}", "global_db_priv": true}},
                          {{"user": "sha2", "host": "localhost", "plugin": "caching_sha2_password", "authentication_string": "{0}", "global_db_priv": true}}]}}"#,
            SHA2_STORED
        );
        let known_here = private_file(&scratch, "accounts.json", &known_here);
        let mut listener = "authenticator=MariaDBAuth,Ed25519Auth,Sha2Auth,PAMAuth\n".to_owned();
        match mapped {
            Some(user) => {
                let map: Vec<String> = USERS
                    .iter()
                    .map(|from| {
                        format!(r#"{{"original_user": "{from}", "mapped_user": "{user}"}}"#)
                    })
                    .collect();
                let mapping = format!(
                    r#"{{"user_map": [{}], "server_credentials": [{{"mapped_user": "{user}", "password": "{reports}"}}]}}"#,
                    map.join(",")
                );
                let file = private_file(&scratch, "mapping.json", &mapping);
                listener.push_str(&format!("user_mapping_file={file}\n"));
            }
            // A signature tells servers nothing.
            None => listener.push_str("authenticator_options=ed_mode=sha256\n"),
        }
        let common = format!("type=listener\nservice=RW-Split-Router\n{listener}");
        let more = format!(
            "[TLS]\n{common}address=127.0.0.1\nport=<port:tls>\n{}[Local]\n{common}socket=<folder>/client.sock\n",
            secured(&scratch)
        );
        let plan = Plan::new(&group)
            .listener(&listener)
            .split(&format!(
                "user_accounts_file={known_here}\nmaster_reconnection=true\n\
                 master_failure_mode=fail_on_write\ndelayed_retry=true\n"
            ))
            .every_server("persistpoolmax=10\npersistmaxtime=300s\n")
            .more(&more);
        let text = plan.text().replace("threads=2\n", "threads=1\n");
        let tidegate = Tidegate::start(&text).expect("tidegate");
        Self {
            group,
            tidegate,
            scratch,
            passwords,
            mapped,
            _service: service,
        }
    }

    /// Who a user is to servers.
    fn shown(&self, user: usize) -> String {
        format!("{}@%", self.mapped.unwrap_or(USERS[user]))
    }

    /// A session of one user that becomes another, becomes itself again, and loses its connection.
    fn session(&self, transport: Transport, user: usize) {
        let other = (user + 1) % USERS.len();
        let admin = &self.group.accounts().admin;
        let script = format!(
            "--disable_query_log
             SELECT CURRENT_USER() AS who;
             change_user {0},{1},test;
             SELECT CURRENT_USER() AS who;
             change_user {2},{3},test;
             SELECT CONCAT(CURRENT_USER(), ' ', DATABASE()) AS who;
             connect (admin,127.0.0.1,{4},{5},,{6},);
             KILL USER {7};
             connection default;
             SELECT CONCAT(CURRENT_USER(), ' again') AS who;\n",
            USERS[other],
            self.passwords[other],
            USERS[user],
            self.passwords[user],
            admin.user,
            admin.password,
            self.group.primary().port(),
            self.mapped.unwrap_or(USERS[user]),
        );
        let said = self.run(transport, user, &script);
        let said: Vec<&str> = said.lines().filter(|line| line.contains('@')).collect();
        let (own, others) = (self.shown(user), self.shown(other));
        let expect = [
            own.clone(),
            others,
            format!("{own} test"),
            format!("{own} again"),
        ];
        assert_eq!(said, expect, "{transport:?}, {}", USERS[user]);
    }

    fn run(&self, transport: Transport, user: usize, script: &str) -> String {
        let port = |name| format!("--port={}", self.tidegate.address(name).port());
        let place = match transport {
            Transport::Plain => vec![
                "--host=127.0.0.1".to_owned(),
                "--skip-ssl".to_owned(),
                port("rw"),
            ],
            Transport::Tls => vec![
                "--host=127.0.0.1".to_owned(),
                "--ssl".to_owned(),
                port("tls"),
            ],
            Transport::Socket => vec![
                "--host=localhost".to_owned(),
                "--skip-ssl".to_owned(),
                format!("--socket={}/client.sock", self.tidegate.folder().display()),
            ],
        };
        let said = play(
            &self.scratch,
            &place,
            [USERS[user], &self.passwords[user]],
            script,
        );
        said.unwrap_or_else(|error| {
            panic!(
                "{transport:?}, {}: {error}\n{}",
                USERS[user],
                self.tidegate.log()
            )
        })
    }

    fn whole(&self) {
        for transport in [Transport::Plain, Transport::Tls, Transport::Socket] {
            for user in 0..USERS.len() {
                self.session(transport, user);
            }
        }
        let path = format!("/v1/servers/{}", self.group.primary().name());
        let server = document(&self.tidegate, &path);
        let reused = &server["data"]["attributes"]["statistics"]["reused_connections"];
        assert!(reused.as_u64().is_some_and(|count| count > 0), "{server:#}");
    }
}

/// Has `mariadb-test` log in and play a script: what it prints, or all it says where it fails.
pub(crate) fn play(
    scratch: &Scratch,
    place: &[String],
    [user, password]: [&str; 2],
    script: &str,
) -> Result<String, String> {
    let folder = scratch.path().display();
    let mut child = Command::new("mariadb-test")
        .args(["--no-defaults", "--database=test"])
        .args([format!("--tmpdir={folder}"), format!("--logdir={folder}")])
        .args([format!("--user={user}"), format!("--password={password}")])
        .args(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mariadb-test");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(script.as_bytes()).expect("the script");
    drop(input);
    let output = child.wait_with_output().expect("its output");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_proof_over_every_transport_where_clients_are_themselves() {
    Stage::new(None).whole();
}

#[test]
fn every_proof_over_every_transport_where_clients_are_somebody_else() {
    Stage::new(Some("reports")).whole();
}
