//! Decisions over small snapshots, as tables.

use tidegate_wire::auth::Method as Dialogue;
use tidegate_wire::auth::native::NativeHash;

use super::*;

const NOW: u64 = 1_800_000_000;

fn row(user: &str, host: &str) -> AccountRow {
    AccountRow {
        user: user.to_owned(),
        host: host.to_owned(),
        methods: vec![Method::new("", "")],
        ..AccountRow::default()
    }
}

fn grant(user: &str, host: &str, database: &str) -> GrantRow {
    GrantRow {
        user: user.to_owned(),
        host: host.to_owned(),
        database: database.to_owned(),
    }
}

fn tables(accounts: Vec<AccountRow>) -> Tables {
    Tables {
        accounts,
        databases: Some(["app", "shop"].map(str::to_owned).into()),
        grants_complete: true,
        ..Tables::default()
    }
}

fn request(user: &str, ip: &str) -> LoginRequest {
    LoginRequest::new(user.as_bytes(), Some(ip.parse().expect("an address")))
}

/// `user@host` of the account, or why there is none.
fn who(accounts: &Accounts, policy: &LoginPolicy, request: &LoginRequest) -> String {
    match decide(accounts, policy, request) {
        LoginDecision::Account { account, .. } => {
            format!("{}@{}", account.row().user, account.row().host)
        }
        LoginDecision::Denied { reason, .. } => reason.to_string(),
    }
}

#[test]
fn the_first_match_is_the_account() {
    let accounts = Accounts::new(tables(vec![
        row("app", "%"),
        row("", "10.0.0.1"),
        row("app", "10.0.0.%"),
        row("", "localhost"),
    ]));
    let policy = LoginPolicy::default();
    let check = |request: LoginRequest, expect: &str| {
        assert_eq!(who(&accounts, &policy, &request), expect, "{request:?}");
    };
    check(request("app", "10.0.0.2"), "app@10.0.0.%");
    check(request("app", "10.0.0.1"), "@10.0.0.1");
    check(request("app", "10.1.0.1"), "app@%");
    check(LoginRequest::new(b"app", None), "@localhost");
    check(request("other", "10.0.0.1"), "@10.0.0.1");
    check(request("", "10.0.0.1"), "@10.0.0.1");
    check(
        request("App", "10.1.0.1"),
        "no account of this user matches 10.1.0.1; there are \
           accounts for 'localhost', '10.0.0.1'; of these 'localhost' would match a host name that the client's address does not have",
    );
}

#[test]
fn refusals_name_their_reason_for_the_log() {
    let accounts = Accounts::new(tables(vec![
        row("app", "db.example.com"),
        row("root", "%"),
        AccountRow {
            is_role: true,
            ..row("boss", "")
        },
        AccountRow {
            methods: vec![Method::new("ed25519", "x"), Method::new("pam", "")],
            ..row("ed", "%")
        },
        AccountRow {
            methods: vec![Method::new("", "invalid")],
            ..row("inv", "%")
        },
    ]));
    let policy = LoginPolicy::default();
    let check = |user: &[u8], expect: &str| {
        let request = LoginRequest::new(user, Some([10, 0, 0, 1].into()));
        let said = who(&accounts, &policy, &request);
        assert!(said.contains(expect), "{said}");
    };
    check(b"nobody", "no account has this user name");
    check(b"boss", "no account has this user name");
    check(b"\xff", "not valid UTF-8");
    check(
        b"app",
        "'db.example.com' would match a host name that the client's address does not have",
    );
    check(b"root", "enable_root_user=false");
    check(b"ed", "'ed'@'%' uses ed25519, pam, which is not enabled");
    check(b"inv", "no password hash");
    let policy = LoginPolicy {
        enable_root_user: true,
        ..policy
    };
    assert_eq!(
        who(&accounts, &policy, &request("root", "10.0.0.1")),
        "root@%"
    );
}

#[test]
fn without_match_host_the_name_is_enough() {
    let accounts = Accounts::new(tables(vec![
        row("app", "10.0.0.9"),
        row("app", "10.0.0.8"),
        row("", "localhost"),
    ]));
    let policy = LoginPolicy {
        match_host: false,
        ..LoginPolicy::default()
    };
    assert_eq!(
        who(&accounts, &policy, &request("app", "10.0.0.8")),
        "app@10.0.0.8"
    );
    assert_eq!(
        who(&accounts, &policy, &request("app", "10.9.9.9")),
        "app@10.0.0.9"
    );
    assert!(
        who(&accounts, &policy, &request("other", "10.9.9.9")).contains("no account of this user")
    );
}

#[test]
fn the_usable_methods_count() {
    let methods = vec![
        Method::new("unix_socket", ""),
        Method::new(
            "MYSQL_native_password",
            "*54958E764CE10E50764C2EECBB71D01F08549980",
        ),
    ];
    let accounts = Accounts::new(tables(vec![AccountRow {
        methods,
        ..row("app", "%")
    }]));
    let LoginDecision::Account { methods, .. } = decide(
        &accounts,
        &LoginPolicy::default(),
        &request("app", "10.0.0.1"),
    ) else {
        panic!("an account");
    };
    let native = Dialogue::Native(NativeHash::of_password(b"mariadb"));
    assert_eq!(methods, [native]);
}

/// The error number and text after the password, or 0.
fn after(tables: Tables, policy: &LoginPolicy, request: &LoginRequest) -> (u16, String) {
    let accounts = Accounts::new(tables);
    let LoginDecision::Account { account, .. } = decide(&accounts, policy, request) else {
        panic!("an account");
    };
    match check_after_password(&accounts, policy, &account, request, NOW) {
        Ok(()) => (0, String::new()),
        Err(refusal) => (refusal.errno(), refusal.to_string()),
    }
}

#[test]
fn an_expired_password_is_the_servers_affair_unless_it_disconnects() {
    let account = AccountRow {
        expiry: Expiry::Expired,
        ..row("app", "%")
    };
    let mut tables = tables(vec![account]);
    let wish = request("app", "10.0.0.1");
    let policy = LoginPolicy::default();
    assert_eq!(after(tables.clone(), &policy, &wish).0, 0);
    tables.refuses_expired = true;
    assert_eq!(after(tables, &policy, &wish).0, 1862);
}

#[test]
fn checks_come_in_the_servers_order() {
    let mut account = AccountRow {
        locked: true,
        tls: TlsDemand::Any,
        expiry: Expiry::Expired,
        ..row("app", "%")
    };
    let mut wish = request("app", "10.0.0.1").with_database(b"secret");
    let policy = LoginPolicy::default();
    let check = |account: &AccountRow, wish: &LoginRequest, errno: u16, text: &str| {
        let mut tables = tables(vec![account.clone()]);
        tables.refuses_expired = true;
        let said = after(tables, &policy, wish);
        assert_eq!(said, (errno, text.to_owned()));
    };
    check(
        &account,
        &wish,
        1045,
        "Access denied for user 'app'@'10.0.0.1' (using password: YES)",
    );
    wish.tls = Some(ClientTls {
        cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
        certificate: None,
    });
    check(
        &account,
        &wish,
        4151,
        "Access denied, this account is locked",
    );
    account.locked = false;
    check(
        &account,
        &wish,
        1862,
        "Your password has expired. To log in you must change it using a client that supports \
         expired passwords",
    );
    wish.handles_expired = true;
    check(
        &account,
        &wish,
        1044,
        "Access denied for user 'app'@'%' to database 'secret'",
    );
    account.global_access = true;
    check(&account, &wish, 1049, "Unknown database 'secret'");
    account.tls = TlsDemand::Certificate {
        issuer: String::new(),
        subject: String::new(),
        cipher: String::new(),
    };
    check(
        &account,
        &wish,
        1045,
        "Access denied for user 'app'@'10.0.0.1' (using password: YES)",
    );
}

#[test]
fn databases_are_reached_by_any_kind_of_grant() {
    let role = |name: &str| AccountRow {
        is_role: true,
        ..row(name, "")
    };
    let member = |user: &str, role: &str| RoleRow {
        user: user.to_owned(),
        host: String::new(),
        role: role.to_owned(),
    };
    let account = |user: &str, default_role: Option<&str>| AccountRow {
        default_role: default_role.map(str::to_owned),
        ..row(user, "%")
    };
    let mut all = tables(vec![
        account("pattern", None),
        account("object", None),
        account("role", Some("outer")),
        account("loop", Some("ring")),
        account("none", None),
        role("outer"),
        role("inner"),
        role("ring"),
    ]);
    all.database_grants = vec![grant("pattern", "10.%", "a%"), grant("inner", "", "app")];
    all.object_grants = vec![grant("object", "%", "app")];
    all.role_grants = vec![member("outer", "inner"), member("ring", "ring")];
    let check = |all: &Tables, user: &str, database: &str, errno: u16| {
        let wish = request(user, "10.0.0.1").with_database(database.as_bytes());
        let said = after(all.clone(), &LoginPolicy::default(), &wish);
        assert_eq!(said.0, errno, "{user} {database}");
    };
    for user in ["pattern", "object", "role"] {
        check(&all, user, "app", 0);
        check(&all, user, "shop", 1044);
        check(&all, user, "INFORMATION_SCHEMA", 0);
    }
    check(&all, "pattern", "apple", 1049);
    check(&all, "loop", "app", 1044);
    check(&all, "none", "app", 1044);
    check(&all, "none", "", 0);
    all.database_grants.push(grant("PUBLIC", "", "app"));
    check(&all, "none", "app", 0);
    all.database_grants.push(grant("", "%", "shop"));
    check(&all, "none", "shop", 0);
    all.databases = None;
    check(&all, "pattern", "apple", 0);
    check(&all, "loop", "apple", 1044);
    all.grants_complete = false;
    check(&all, "loop", "apple", 0);
}

#[test]
fn lower_case_table_names_changes_the_comparison() {
    let mut all = tables(vec![row("app", "%")]);
    all.database_grants = vec![grant("app", "%", "app")];
    let wish = request("app", "10.0.0.1").with_database(b"APP");
    for (database_case, errno) in [
        (DatabaseCase::Exact, 1044),
        (DatabaseCase::Lower, 0),
        (DatabaseCase::Ignore, 0),
    ] {
        let policy = LoginPolicy {
            database_case,
            ..LoginPolicy::default()
        };
        assert_eq!(
            after(all.clone(), &policy, &wish).0,
            errno,
            "{database_case:?}"
        );
    }
}

#[test]
fn the_union_of_servers_keeps_the_first_word_on_an_account() {
    let mut first = tables(vec![AccountRow {
        locked: true,
        ..row("app", "%")
    }]);
    first.database_grants = vec![grant("app", "%", "one")];
    let mut second = tables(vec![row("app", "%"), row("more", "%")]);
    second.database_grants = vec![grant("app", "%", "two"), grant("app", "%", "one")];
    second.databases = Some(["two".to_owned()].into());
    first.absorb(second.clone());
    let union = Accounts::new(first.clone());
    assert_eq!(union.len(), 2);
    assert!(union.rows()[0].locked);
    assert_eq!(
        union.databases().map(std::collections::BTreeSet::len),
        Some(3)
    );
    let policy = LoginPolicy::default();
    let wish = request("app", "10.0.0.1").with_database(b"two");
    assert_eq!(after(first.clone(), &policy, &wish).0, 4151);
    second.databases = None;
    second.grants_complete = false;
    first.absorb(second);
    let union = Accounts::new(first);
    assert!(union.databases().is_none() && !union.grants_complete());
}

#[test]
fn every_table_counts_in_the_comparison_and_order_does_not() {
    let base = || {
        let mut all = tables(vec![row("a", "%"), row("b", "%")]);
        all.database_grants = vec![grant("a", "%", "x"), grant("b", "%", "x")];
        all
    };
    let mut reordered = base();
    reordered.accounts.reverse();
    reordered.database_grants.reverse();
    assert_eq!(Accounts::new(base()), Accounts::new(reordered));
    let changes: [fn(&mut Tables); 7] = [
        |all| all.accounts[0].locked = true,
        |all| all.database_grants.push(grant("a", "%", "y")),
        |all| all.object_grants.push(grant("a", "%", "y")),
        |all| {
            all.role_grants.push(RoleRow {
                user: "a".into(),
                host: "%".into(),
                role: "r".into(),
            });
        },
        |all| all.databases = None,
        |all| all.default_password_days = 7,
        |all| all.refuses_expired = true,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = base();
        change(&mut changed);
        assert_ne!(
            Accounts::new(base()),
            Accounts::new(changed),
            "change {index}"
        );
    }
}
