//! The account manager over real servers: what it reads, when, and what it says.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_accounts::{
    AccountHost, AccountManager, AccountNote, AccountSettings, AccountSource, Accounts,
    AccountsView, Expiry, Refresh, RefreshLimit, TlsDemand, Trouble,
};
use tidegate_sqlclient::{Address, Credentials};
use tidegate_testkit::{PATIENCE, Server, ServerGroup};

/// A service whose servers a test chooses.
#[derive(Default)]
struct Service {
    sources: Mutex<Vec<AccountSource>>,
    said: Mutex<Vec<String>>,
    replaced: Mutex<usize>,
}

impl AccountHost for Service {
    fn sources(&self) -> Vec<AccountSource> {
        self.sources.lock().expect("not poisoned").clone()
    }
    fn replaced(&self, _: &Arc<Accounts>, _: Option<&str>) -> Vec<Trouble> {
        *self.replaced.lock().expect("not poisoned") += 1;
        Vec::new()
    }
    fn noted(&self, note: &AccountNote) {
        self.said
            .lock()
            .expect("not poisoned")
            .push(note.to_string());
    }
}

impl Service {
    fn of(servers: &[&Server]) -> Arc<Self> {
        let service = Self::default();
        service.set(
            servers
                .iter()
                .map(|server| source(server.name(), server.port()))
                .collect(),
        );
        Arc::new(service)
    }

    fn set(&self, sources: Vec<AccountSource>) {
        *self.sources.lock().expect("not poisoned") = sources;
    }

    fn spawn(self: &Arc<Self>, settings: AccountSettings) -> AccountManager {
        let host: Arc<dyn AccountHost> = Arc::<Self>::clone(self);
        AccountManager::spawn(settings, host)
    }

    fn said(&self) -> String {
        self.said.lock().expect("not poisoned").join("\n")
    }
}

fn source(name: &str, port: u16) -> AccountSource {
    AccountSource {
        name: name.to_owned(),
        address: Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        extra_port: None,
        tls: None,
    }
}

fn settings(group: &ServerGroup) -> AccountSettings {
    let account = &group.accounts().service;
    let credentials = Credentials::new(&account.user, &account.password);
    AccountSettings {
        timeout: PATIENCE,
        ..AccountSettings::new("Service", credentials)
    }
}

async fn wait_view(manager: &AccountManager, holds: impl Fn(&AccountsView) -> bool) {
    let mut views = manager.subscribe();
    let waited = tokio::time::timeout(PATIENCE, views.wait_for(|view| holds(view))).await;
    assert!(waited.is_ok(), "in vain: {:?}", manager.view());
}

fn has_user(accounts: &Accounts, user: &str) -> bool {
    accounts.rows().iter().any(|row| row.user == user)
}

async fn loads_and_keeps_equal_snapshots(group: &ServerGroup) {
    let service = Service::of(&[group.primary()]);
    let manager = service.spawn(settings(group));
    wait_view(&manager, |view| view.accounts.is_some()).await;
    let first = manager.accounts().expect("loaded");
    assert!(has_user(&first, "app"));
    assert_eq!(manager.reload().await, Refresh::Unchanged);
    assert!(Arc::ptr_eq(&first, &manager.accounts().expect("loaded")));
    for change in [
        "GRANT SELECT ON `a%`.* TO 'app'@'%'",
        "CREATE TABLE test.t (a INT); GRANT SELECT (a) ON test.t TO 'app'@'%'",
        "CREATE DATABASE another",
        "CREATE ROLE clerk",
        "GRANT clerk TO 'app'@'%'",
        "ALTER USER 'app'@'%' PASSWORD EXPIRE INTERVAL 9 DAY",
        "INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, With_grant, Grantor) \
         VALUES ('%', 'app', '%', 'monitor', 0, '')",
        "SET GLOBAL disconnect_on_expired_password = ON",
    ] {
        group.primary().sql(change).expect(change);
        assert_eq!(manager.reload().await, Refresh::Changed, "{change}");
    }
    assert_eq!(*service.replaced.lock().expect("not poisoned"), 9);
    let said = service.said();
    assert!(
        said.contains("service 'Service': read ") && said.contains("from 'primary'"),
        "{said}"
    );
    assert!(!said.contains("cannot"), "{said}");
    manager.shutdown().await;
}

async fn describes_accounts(group: &ServerGroup) {
    let make = "CREATE USER 'full'@'10.%' REQUIRE SSL PASSWORD EXPIRE ACCOUNT LOCK; \
                CREATE USER 'two'@'%' IDENTIFIED VIA unix_socket OR mysql_native_password \
                USING PASSWORD('x'); GRANT SUPER ON *.* TO 'two'@'%'";
    group.primary().sql(make).expect("made");
    let reader = "CREATE USER 'reader'@'%' IDENTIFIED BY 'r'; \
                  GRANT SELECT ON mysql.user TO 'reader'@'%'; GRANT SELECT ON mysql.db TO 'reader'@'%'";
    group.primary().sql(reader).expect("made");
    let service = Service::of(&[group.primary()]);
    let mut both = Vec::new();
    for credentials in [settings(group).credentials, Credentials::new("reader", "r")] {
        let manager = service.spawn(AccountSettings {
            credentials,
            ..settings(group)
        });
        wait_view(&manager, |view| view.accounts.is_some()).await;
        both.push(manager.accounts().expect("loaded"));
        manager.shutdown().await;
    }
    for accounts in &both {
        let find = |user: &str| {
            let found = accounts.rows().iter().find(|row| row.user == user);
            found.cloned().expect(user)
        };
        let full = find("full");
        assert_eq!((full.host.as_str(), &full.tls), ("10.%", &TlsDemand::Any));
        assert_eq!(full.expiry, Expiry::Expired);
        let two = find("two");
        assert!(two.is_super && !two.global_access);
        assert!(find("clerk").is_role);
    }
    let methods = |accounts: &Accounts| {
        let two = accounts.rows().iter().find(|row| row.user == "two");
        two.map(|row| row.methods.len())
    };
    assert_eq!((methods(&both[0]), methods(&both[1])), (Some(2), Some(1)));
    let said = service.said();
    for remedy in [
        "GRANT SELECT ON mysql.global_priv TO 'reader'@'%'",
        "GRANT SELECT ON mysql.tables_priv TO 'reader'@'%'",
        "GRANT SELECT ON mysql.roles_mapping TO 'reader'@'%'",
        "GRANT SHOW DATABASES ON *.* TO 'reader'@'%'",
    ] {
        assert!(said.contains(remedy), "{said}");
    }
    assert!(!said.contains("GRANT SELECT ON mysql.db "), "{said}");
}

async fn says_why_it_cannot_load(group: &ServerGroup) {
    let service = Service::of(&[group.primary()]);
    let app = &group.accounts().app;
    let manager = service.spawn(AccountSettings {
        credentials: Credentials::new(&app.user, &app.password),
        ..settings(group)
    });
    wait_view(&manager, |view| view.failure.is_some()).await;
    assert!(manager.accounts().is_none());
    let said = service.said();
    let remedy = "cannot read mysql.user on server 'primary': the privilege is missing; \
                  GRANT SELECT ON mysql.user TO 'app'@'%'";
    assert!(said.contains(remedy), "{said}");
    manager.reconfigure(settings(group)).await;
    assert_eq!(manager.reload().await, Refresh::Changed);
    assert_eq!(manager.view().failure, None);
    service.set(Vec::new());
    let failed = Refresh::Failed("none of its servers is running".to_owned());
    assert_eq!(manager.reload().await, failed);
    assert!(
        manager.accounts().is_some(),
        "a failed load takes nothing away"
    );
    manager.shutdown().await;
}

async fn falls_back(group: &ServerGroup) {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = closed.local_addr().expect("bound").port();
    drop(closed);
    let service = Service::of(&[]);
    service.set(vec![
        source("gone", gone),
        AccountSource {
            extra_port: Some(gone),
            ..source("primary", group.primary().port())
        },
    ]);
    let account = &group.accounts().service;
    let manager = service.spawn(AccountSettings {
        credentials: Credentials::new(&account.user, "not yet"),
        previous: Some(settings(group).credentials),
        ..settings(group)
    });
    wait_view(&manager, |view| view.servers == ["primary"]).await;
    let said = service.said();
    assert!(said.contains("from server 'gone'"), "{said}");
    assert!(
        said.contains("takes the one from before its last change"),
        "{said}"
    );
    assert!(!said.contains(&account.password), "{said}");
    manager.shutdown().await;
}

async fn joins_all_servers(group: &ServerGroup) {
    let replica = &group.replicas()[0];
    replica
        .sql("SET sql_log_bin=0; CREATE USER 'local'@'%'")
        .expect("made");
    let service = Service::of(&[group.primary(), replica]);
    let manager = service.spawn(settings(group));
    wait_view(&manager, |view| view.accounts.is_some()).await;
    assert!(!has_user(&manager.accounts().expect("loaded"), "local"));
    manager
        .reconfigure(AccountSettings {
            all_servers: true,
            ..settings(group)
        })
        .await;
    assert_eq!(manager.reload().await, Refresh::Changed);
    assert!(has_user(&manager.accounts().expect("loaded"), "local"));
    assert_eq!(manager.view().servers, ["primary", "replica1"]);
    manager.shutdown().await;
}

async fn follows_the_primary(group: &ServerGroup) {
    let (primary, replica) = (group.primary(), &group.replicas()[0]);
    let service = Service::of(&[primary, replica]);
    let manager = service.spawn(settings(group));
    wait_view(&manager, |view| view.servers == ["primary"]).await;
    service.set(vec![
        source("replica1", replica.port()),
        source("primary", primary.port()),
    ]);
    manager.servers_changed();
    wait_view(&manager, |view| view.servers == ["replica1"]).await;
    manager.shutdown().await;
}

async fn limits_refreshes(group: &ServerGroup) {
    let service = Service::of(&[group.primary()]);
    let limited = |limit| AccountSettings {
        limit,
        ..settings(group)
    };
    let manager = service.spawn(limited(RefreshLimit::Never));
    wait_view(&manager, |view| view.accounts.is_some()).await;
    assert_eq!(manager.refresh_after_failure().await, Refresh::NotNow);
    let hour = RefreshLimit::OncePer(Duration::from_secs(3600));
    manager.reconfigure(limited(hour)).await;
    group.primary().sql("CREATE USER 'late'@'%'").expect("made");
    assert_eq!(manager.refresh_after_failure().await, Refresh::Changed);
    assert_eq!(manager.refresh_after_failure().await, Refresh::NotNow);
    assert_eq!(manager.reload().await, Refresh::Unchanged);
    manager
        .reconfigure(limited(RefreshLimit::OncePer(Duration::ZERO)))
        .await;
    assert_eq!(manager.refresh_after_failure().await, Refresh::Unchanged);
    assert_eq!(manager.refresh_after_failure().await, Refresh::Unchanged);
    manager.shutdown().await;
}

async fn reloads_by_itself(group: &ServerGroup) {
    let service = Service::of(&[group.primary()]);
    let manager = service.spawn(AccountSettings {
        interval: Some(Duration::from_millis(20)),
        ..settings(group)
    });
    wait_view(&manager, |view| view.accounts.is_some()).await;
    group
        .primary()
        .sql("CREATE USER 'periodic'@'%'")
        .expect("made");
    wait_view(&manager, |view| {
        view.accounts
            .as_ref()
            .is_some_and(|accounts| has_user(accounts, "periodic"))
    })
    .await;
    manager.shutdown().await;
}

async fn reads_again_what_servers_do_not_check(group: &ServerGroup) {
    let service = Service::of(&[group.primary()]);
    let spawn = |limit| {
        service.spawn(AccountSettings {
            limit,
            ..settings(group)
        })
    };
    let old = spawn(RefreshLimit::OncePer(Duration::ZERO));
    wait_view(&old, |view| view.accounts.is_some()).await;
    assert!(!old.view().is_fresh());
    let sql = "CREATE USER young@'%'";
    group.primary().sql(sql).expect(sql);
    let accounts = old.fresh_accounts().await.expect("read again");
    assert!(has_user(&accounts, "young"));
    old.shutdown().await;
    let fresh = spawn(RefreshLimit::OncePer(Duration::from_secs(3600)));
    wait_view(&fresh, |view| view.accounts.is_some()).await;
    let accounts = fresh.fresh_accounts().await.expect("they are fresh");
    assert!(fresh.view().is_fresh());
    assert!(Arc::ptr_eq(&accounts, &fresh.accounts().expect("the same")));
    fresh
        .reconfigure(AccountSettings {
            limit: RefreshLimit::Never,
            ..settings(group)
        })
        .await;
    fresh.reload().await;
    assert_eq!(fresh.fresh_accounts().await, None, "never read again");
    fresh.shutdown().await;
}

#[tokio::test]
async fn manages_the_accounts_of_real_servers() {
    let group = ServerGroup::start(1).expect("two servers");
    loads_and_keeps_equal_snapshots(&group).await;
    describes_accounts(&group).await;
    says_why_it_cannot_load(&group).await;
    falls_back(&group).await;
    joins_all_servers(&group).await;
    group.wait_replicated().expect("replicated");
    follows_the_primary(&group).await;
    limits_refreshes(&group).await;
    reloads_by_itself(&group).await;
    reads_again_what_servers_do_not_check(&group).await;
}

/// Logins that fail while accounts are being loaded share that load; the end of the manager does
/// not wait for it.
#[tokio::test]
async fn a_load_that_hangs_is_shared_and_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let service = Arc::new(Service::default());
    service.set(vec![source(
        "silent",
        silent.local_addr().expect("bound").port(),
    )]);
    let manager = service.spawn(AccountSettings {
        timeout: Duration::from_millis(300),
        limit: RefreshLimit::OncePer(Duration::from_secs(3600)),
        ..AccountSettings::new("Service", Credentials::new("s", "p"))
    });
    let (one, two) = tokio::join!(
        manager.refresh_after_failure(),
        manager.refresh_after_failure()
    );
    for outcome in [one, two] {
        let Refresh::Failed(reason) = outcome else {
            panic!("not failed: {outcome:?}");
        };
        assert!(reason.contains("connect timed out"), "{reason}");
    }
    manager
        .reconfigure(AccountSettings {
            timeout: Duration::from_secs(3600),
            ..AccountSettings::new("Service", Credentials::new("s", "p"))
        })
        .await;
    let hanging = tokio::time::timeout(Duration::from_millis(50), manager.reload()).await;
    assert!(hanging.is_err());
    let ended = tokio::time::timeout(PATIENCE, manager.shutdown()).await;
    assert!(ended.is_ok());
}
