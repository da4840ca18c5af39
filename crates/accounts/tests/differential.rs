//! Made-up accounts, asked of a real server and of [`decide`]: both must name the same account, or
//! refuse with the same number, for each address, database and password.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_accounts::{
    AccountHost, AccountManager, AccountNote, AccountSettings, AccountSource, Accounts, Ed25519Way,
    LoginDecision, LoginPolicy, LoginRequest, Refresh, Trouble, Ways, check_after_password, decide,
};
use tidegate_proofs::ed25519_public_key;
use tidegate_sqlclient::{Address, Client, ConnectOptions, Credentials, Timeouts};
use tidegate_testkit::{Count, PATIENCE, Server, ServerGroup};
use tidegate_wire::auth::Method;
use tidegate_wire::auth::native::NativeHash;

/// How many logins one population is asked for.
const LOGINS: u64 = 500;

/// What clients give, the first two of which are some accounts' passwords.
const PASSWORDS: [&str; 4] = ["red", "blue", "", "green"];

const PATTERNS: [&str; 22] = [
    "%",
    "127.%",
    "127.0.%",
    "127.0.0.%",
    "127.0.0._",
    "127.0.0.1",
    "127.0.0.2",
    "127.1.2.3",
    "_27.0.0.1",
    "1%1",
    "%.0.0.1",
    "%1",
    "%2%",
    "127.%.0.%",
    "___.0.0._",
    "127.0.0.%_",
    "localhost",
    "127.0.0.0/255.255.255.0",
    "127.0.0.0/255.0.0.0",
    "127.1.0.0/255.255.0.0",
    "10.%",
    "%.%.%.3",
];

const CLIENTS: [Ipv4Addr; 5] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(127, 0, 0, 12),
    Ipv4Addr::new(127, 1, 2, 3),
    Ipv4Addr::new(127, 9, 0, 1),
];

const USERS: [&str; 6] = ["ann", "Ann", "bob", "eve", "joe", "x_y"];

/// Databases that exist, and some that do not.
const EXISTING: [&str; 5] = ["app", "app_1", "appx1", "APP", "shop"];
const ASKED: [&str; 8] = [
    "app",
    "app_1",
    "appx1",
    "APP",
    "shop",
    "none",
    "apple",
    "information_schema",
];
const DATABASE_PATTERNS: [&str; 13] = [
    "app", "app_1", "app\\_1", "app%", "APP", "shop", "s%p", "none", "app\\_%", "_pp", "%", "sh__",
    "%1",
];

/// How accounts are authenticated, the empty text by no password. An account whose plugin no client can
/// speak has another method as well: alone, a server refuses it with a number of its own.
const METHODS: [&str; 8] = [
    "",
    "",
    "",
    " IDENTIFIED BY 'red'",
    " IDENTIFIED VIA ed25519 USING PASSWORD('red')",
    " IDENTIFIED VIA ed25519 USING PASSWORD('blue') OR mysql_native_password USING PASSWORD('red')",
    " IDENTIFIED VIA mysql_native_password USING PASSWORD('blue') OR ed25519 USING PASSWORD('red')",
    " IDENTIFIED VIA unix_socket OR ed25519 USING PASSWORD('blue')",
];

/// What else stands in the way of some accounts' clients.
const BARS: [&str; 4] = [
    " ACCOUNT LOCK",
    " PASSWORD EXPIRE",
    " REQUIRE SSL",
    " REQUIRE SSL PASSWORD EXPIRE ACCOUNT LOCK",
];

const GLOBAL: [&str; 6] = [
    "SELECT",
    "EXECUTE",
    "DELETE HISTORY",
    "PROCESS, RELOAD",
    "SHOW DATABASES",
    "CREATE USER",
];
const LEVELS: [&str; 4] = ["SELECT", "INSERT, UPDATE", "EXECUTE", "CREATE VIEW"];

/// A small generator whose whole sequence follows from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as usize % limit
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

fn server_objects() -> String {
    let mut sql = String::new();
    for database in EXISTING {
        sql.push_str(&format!(
            "CREATE DATABASE `{database}`; CREATE TABLE `{database}`.t (a INT, b INT);\
             CREATE PROCEDURE `{database}`.p() SELECT 1;\n"
        ));
    }
    sql
}

/// A grant of any level to `grantee`.
fn some_grant(random: &mut Random, grantee: &str) -> String {
    let database = random.pick(&EXISTING);
    match random.below(6) {
        0 | 1 => format!(
            "GRANT {} ON `{}`.* TO {grantee};\n",
            random.pick(&LEVELS),
            random.pick(&DATABASE_PATTERNS)
        ),
        2 => format!("GRANT INSERT ON `{database}`.t TO {grantee};\n"),
        3 => format!("GRANT SELECT (a) ON `{database}`.t TO {grantee};\n"),
        4 => format!("GRANT EXECUTE ON PROCEDURE `{database}`.p TO {grantee};\n"),
        _ => format!("GRANT USAGE ON `{database}`.* TO {grantee} WITH GRANT OPTION;\n"),
    }
}

/// The statements that make one round's accounts and roles.
fn population(random: &mut Random) -> String {
    let mut sql = String::new();
    for role in 0..4 {
        sql.push_str(&format!("CREATE ROLE role{role};\n"));
        for _ in 0..random.below(3) {
            sql.push_str(&some_grant(random, &format!("role{role}")));
        }
        if random.one_in(8) {
            let privileges = random.pick(&GLOBAL);
            sql.push_str(&format!("GRANT {privileges} ON *.* TO role{role};\n"));
        }
        if role > 0 && random.one_in(2) {
            sql.push_str(&format!(
                "GRANT role{role} TO role{};\n",
                random.below(role)
            ));
        }
    }
    if random.one_in(2) {
        // Grants on objects to PUBLIC let nobody into a database on MariaDB 10.11, although they
        // can be used there; the proxy lets in and leaves the refusal to the server.
        let database = random.pick(&DATABASE_PATTERNS);
        sql.push_str(&format!("GRANT SELECT ON `{database}`.* TO PUBLIC;\n"));
    }
    for user in USERS.into_iter().chain([""]) {
        for host in PATTERNS {
            // An anonymous account for the socket would stand in the administrator's way.
            let hides_admin = user.is_empty() && host == "localhost";
            if random.one_in(4) && !hides_admin {
                sql.push_str(&account(random, &format!("'{user}'@'{host}'")));
            }
        }
    }
    sql
}

fn account(random: &mut Random, name: &str) -> String {
    let method = random.pick(&METHODS);
    let bar = if random.one_in(8) {
        random.pick(&BARS)
    } else {
        ""
    };
    let mut sql = format!("CREATE USER {name}{method}{bar};\n");
    // MariaDB 10.11 takes the global privileges that count beside a default role from any matching
    // account that has the role; so whoever has global privileges here has no role.
    let is_global = random.one_in(6);
    if is_global {
        let privileges = random.pick(&GLOBAL);
        sql.push_str(&format!("GRANT {privileges} ON *.* TO {name};\n"));
    }
    for _ in 0..random.below(3) {
        sql.push_str(&some_grant(random, name));
    }
    if random.one_in(3) && !is_global {
        let role = random.below(4);
        sql.push_str(&format!("GRANT role{role} TO {name};\n"));
        if random.one_in(2) {
            sql.push_str(&format!("SET DEFAULT ROLE role{role} FOR {name};\n"));
        }
    }
    sql
}

fn clear(server: &Server) {
    let accounts = server
        .rows(
            "SELECT IF(is_role = 'Y', 'ROLE', 'USER'), \
             IF(is_role = 'Y', User, CONCAT(QUOTE(User), '@', QUOTE(Host))) FROM mysql.user \
             WHERE User IN ('ann','Ann','bob','eve','joe','x_y','') OR is_role = 'Y'",
        )
        .expect("accounts");
    let drop = |row: &Vec<String>| match (row[0].as_str(), row[1].as_str()) {
        ("ROLE", "PUBLIC") => "REVOKE ALL PRIVILEGES, GRANT OPTION FROM PUBLIC;\n".to_owned(),
        (kind, name) => format!("DROP {kind} {name};\n"),
    };
    let sql: String = accounts.iter().map(drop).collect();
    server.sql(&sql).expect("cleared");
}

/// The service around an account manager: one server, and what was said.
struct Service {
    source: AccountSource,
    said: Mutex<Vec<String>>,
}

impl AccountHost for Service {
    fn sources(&self) -> Vec<AccountSource> {
        vec![self.source.clone()]
    }
    fn replaced(&self, _: &Arc<Accounts>, _: Option<&str>) -> Vec<Trouble> {
        Vec::new()
    }
    fn noted(&self, note: &AccountNote) {
        self.said
            .lock()
            .expect("not poisoned")
            .push(note.to_string());
    }
}

fn address(server: &Server) -> Address {
    Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
    }
}

/// What came of a login: the account, or the error's number.
#[derive(Debug, PartialEq, Eq)]
enum Login {
    As(String),
    Refused(u16),
}

/// A client that wants in.
#[derive(Debug)]
struct Case {
    user: &'static str,
    password: &'static str,
    client: Ipv4Addr,
    database: Option<&'static str>,
}

impl Case {
    fn any(random: &mut Random) -> Self {
        let user = random.below(USERS.len() + 2);
        let asked = random.below(ASKED.len() + 1);
        Self {
            user: match USERS.get(user) {
                Some(user) => user,
                None if user == USERS.len() => "",
                None => "nobody",
            },
            password: random.pick(&PASSWORDS),
            client: CLIENTS[random.below(CLIENTS.len())],
            database: ASKED.get(asked).copied(),
        }
    }
}

impl Login {
    fn number(&self) -> u16 {
        match self {
            Self::As(_) => 0,
            Self::Refused(number) => *number,
        }
    }
}

async fn ask_server(server: &Server, case: &Case) -> Login {
    let credentials = Credentials::new(case.user, case.password);
    let mut options = ConnectOptions::new(address(server), credentials, Timeouts::all(PATIENCE));
    options.local_address = Some(IpAddr::V4(case.client));
    options.database = case.database.map(str::to_owned);
    match Client::connect(&options).await {
        Ok(mut client) => {
            let rows = client.rows("SELECT CURRENT_USER()").await.expect("a name");
            let name = rows.rows()[0].text(0).expect("text").to_owned();
            client.close().await;
            Login::As(name)
        }
        Err(error) => Login::Refused(error.errno().unwrap_or_else(|| panic!("{error}"))),
    }
}

/// Is the client let in by its password?
fn proves(method: &Method, password: &str) -> bool {
    match method {
        Method::Native(hash) => *hash == NativeHash::of_password(password.as_bytes()),
        Method::Ed25519(key) => *key == ed25519_public_key(password.as_bytes()),
        Method::Parsec(_) | Method::Password { .. } => panic!("{method:?} is not enabled"),
    }
}

fn ask_us(accounts: &Accounts, case: &Case) -> Login {
    let policy = LoginPolicy {
        ways: Ways {
            ed25519: Some(Ed25519Way::Sign),
            ..Ways::native()
        },
        ..LoginPolicy::default()
    };
    let mut request = LoginRequest::new(case.user.as_bytes(), Some(IpAddr::V4(case.client)));
    request.database = case.database.map(|name| name.as_bytes().to_vec());
    let LoginDecision::Account { account, methods } = decide(accounts, &policy, &request) else {
        return Login::Refused(1045);
    };
    if !methods.iter().any(|method| proves(method, case.password)) {
        return Login::Refused(1045);
    }
    match check_after_password(accounts, &policy, &account, &request, 0) {
        Ok(()) => Login::As(format!("{}@{}", account.row().user, account.row().host)),
        Err(refusal) => Login::Refused(refusal.errno()),
    }
}

#[tokio::test]
async fn the_proxy_and_the_server_agree() {
    let group = ServerGroup::builder()
        .option("skip_name_resolve=1")
        .option("plugin_load_add=auth_ed25519")
        .option("disconnect_on_expired_password=1")
        .start()
        .expect("a server");
    let server = group.primary();
    server.sql(&server_objects()).expect("databases");
    let account = &group.accounts().service;
    let credentials = Credentials::new(&account.user, &account.password);
    // No anonymous account comes before one with an exact host and a name.
    let exact = format!("'{}'@'127.0.0.1'", account.user);
    let make = format!(
        "CREATE USER {exact} IDENTIFIED BY '{}'; GRANT SELECT ON mysql.* TO {exact};\
         GRANT SHOW DATABASES ON *.* TO {exact};",
        account.password
    );
    server.sql(&make).expect("an account for the service");
    let service = Arc::new(Service {
        source: AccountSource {
            name: "primary".to_owned(),
            address: address(server),
            extra_port: None,
            tls: None,
        },
        said: Mutex::default(),
    });
    let host: Arc<dyn AccountHost> = service.clone();
    let mut settings = AccountSettings::new("Service", credentials);
    settings.timeout = Duration::from_secs(60);
    let manager = AccountManager::spawn(settings, host);
    let mut cases = Count::of("TIDEGATE_ACCOUNT_CASES", 10_000);
    let mut came = BTreeMap::new();
    for seed in 0..cases.total().div_ceil(LOGINS) {
        let mut random = Random(seed);
        clear(server);
        server.sql(&population(&mut random)).expect("accounts");
        let outcome = manager.reload().await;
        assert_eq!(outcome, Refresh::Changed, "seed {seed}");
        let accounts = manager.accounts().expect("loaded");
        assert!(
            accounts.len() > 20,
            "seed {seed}: {} accounts",
            accounts.len()
        );
        for _ in 0..LOGINS {
            let case = Case::any(&mut random);
            let theirs = ask_server(server, &case).await;
            let ours = ask_us(&accounts, &case);
            assert_eq!(ours, theirs, "seed {seed}: {case:?}; left is ours");
            *came.entry(theirs.number()).or_insert(0) += 1;
        }
        cases.progress(seed * LOGINS);
    }
    // Whoever is let in or refused for one reason or another is among them.
    for number in [0, 1044, 1045, 1049, 1862, 4151] {
        assert!(came.contains_key(&number), "{number}: {came:?}");
    }
    let said = service.said.lock().expect("not poisoned").clone();
    assert!(said.iter().all(|line| line.contains("read")), "{said:?}");
    manager.shutdown().await;
}
