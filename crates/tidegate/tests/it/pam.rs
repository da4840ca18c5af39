//! Accounts with `pam`: clients are let in by login services of this machine, and servers by the same.
//!
//! The services are made for a test, in the system's own folder, and removed with it; that needs root, which
//! is asked for by `sudo` where the tests run as somebody else. They leave the check to a script.

use std::path::PathBuf;
use std::process::Command;

use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{Scratch, ServerGroup, Tidegate, wait_until};

use crate::house::Plan;
use crate::others;

/// A login service that a script decides for.
pub(crate) struct Service {
    pub(crate) name: String,
    _folder: std::sync::Arc<Scratch>,
}

fn as_root(program: &str, arguments: &[&str]) {
    let mut command = Command::new("sudo");
    command.arg(program);
    if rustix::process::getuid().is_root() {
        command = Command::new(program);
    }
    let done = command.args(arguments).status().expect("root's rights");
    assert!(done.success(), "{program} {arguments:?}: {done}");
}

impl Service {
    /// Lets in whom the script says; the password is its input, `$PAM_USER` the name.
    pub(crate) fn new(script: &str) -> Service {
        let lines = "auth required pam_exec.so quiet expose_authtok <check>\n\
                     account required pam_permit.so\n";
        Service::of(script, lines)
    }

    /// The same, described by these lines, where `<check>` is the script that has the password.
    fn of(script: &str, lines: &str) -> Service {
        let folder = Scratch::new("tidegate-pam").expect("a folder");
        let check = folder
            .write(
                "check",
                &format!("#!/bin/sh\npassword=$(cat | tr -d '\\0')\n{script}\n"),
            )
            .expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&check, mode).expect("a program");
        // The folder's own name has been given to nobody else.
        let name = folder.path().file_name().expect("a name");
        let name = name.to_string_lossy().to_lowercase();
        let lines = lines.replace("<check>", &check.display().to_string());
        let text = folder.write("service", &lines).expect("a file");
        let service = Service {
            name,
            _folder: folder,
        };
        let file = service.file().display().to_string();
        as_root(
            "install",
            &["-m", "644", &text.display().to_string(), &file],
        );
        service
    }

    fn file(&self) -> PathBuf {
        PathBuf::from("/etc/pam.d").join(&self.name)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        as_root("rm", &["-f", &self.file().display().to_string()]);
    }
}

fn group() -> ServerGroup {
    ServerGroup::builder()
        .option("plugin_load_add=auth_pam_v1")
        .start()
        .expect("a server group")
}

/// What MariaDB's client is told of who it is, or what it says went wrong.
fn ask(
    tidegate: &Tidegate,
    user: &str,
    password: &str,
    options: &[&str],
) -> Result<String, String> {
    let sql = "SELECT USER(), CURRENT_USER()";
    others::ask(tidegate, user, password, options, sql)
}

/// Lets `anna` in by her password.
fn annas(password: &str) -> String {
    format!("[ \"$PAM_USER\" = anna ] && [ \"$password\" = {password} ]")
}

fn random() -> String {
    Account::random("").expect("a password").password
}

#[test]
fn the_system_says_who_a_client_is() {
    let (group, password) = (group(), random());
    let service = Service::new(&annas(&password));
    let account = format!(
        "CREATE USER anna@'%' IDENTIFIED VIA pam USING '{}'",
        service.name
    );
    group.primary().sql(&account).expect("an account");
    let app = &group.accounts().app;
    for (listener, options) in [
        ("", &["--skip-ssl"][..]),
        ("ssl=true\n", &["--ssl"][..]),
        (
            "ssl=true\nauthenticator_options=pam_use_cleartext_plugin=true\n",
            &["--ssl"][..],
        ),
    ] {
        let listener = format!("authenticator=PAMAuth,MariaDBAuth\n{listener}");
        let tidegate = Plan::new(&group).listener(&listener).start();
        let ask = |user: &str, password: &str| ask(&tidegate, user, password, options);
        let told = ask("anna", &password);
        assert_eq!(
            told.as_deref(),
            Ok("anna@127.0.0.1\tanna@%"),
            "{}",
            tidegate.log()
        );
        let wrong = ask("anna", "wrong").expect_err("a wrong password");
        let denied = "Access denied for user 'anna'@'127.0.0.1' (using password: YES)";
        assert!(wrong.contains(denied), "{wrong}");
        let other = ask(&app.user, &app.password).expect("another account");
        assert!(other.starts_with("app@"), "{other}");
    }
}

/// An account that a service lets in.
fn account(group: &ServerGroup, user: &str, service: &Service) {
    let sql = format!(
        "CREATE USER '{user}'@'%' IDENTIFIED VIA pam USING '{}'",
        service.name
    );
    group.primary().sql(&sql).expect("an account");
}

/// As many as ask one service at the same time.
const SHARE: usize = 8;

#[test]
fn a_service_that_hangs_or_dies_harms_nobody_else() {
    let (group, password) = (group(), random());
    let folder = Scratch::new("tidegate-hang").expect("a folder");
    let script = format!(
        "case \"$password\" in\n  wait) touch {here}/$$; while [ -e {here} ]; do sleep 1; done;;\n  \
         die) kill -9 $PPID;;\nesac\n{}",
        annas(&password),
        here = folder.path().display()
    );
    let hangs = Service::new(&script);
    let (dies, works) = (Service::new(&script), Service::new(&annas(&password)));
    account(&group, "hanna", &hangs);
    account(&group, "diana", &dies);
    account(&group, "anna", &works);
    let tidegate = Plan::new(&group)
        .globals("max_auth_errors_until_block=0\n")
        .listener("authenticator=PAMAuth,MariaDBAuth\n")
        .start();
    let ask = |user: &str, password: &str| ask(&tidegate, user, password, &["--skip-ssl"]);
    let waiting = || -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).expect("the folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    };
    std::thread::scope(|scope| {
        let hang = || scope.spawn(|| ask("hanna", "wait").expect_err("no answer"));
        let clients: Vec<_> = std::iter::repeat_with(hang).take(SHARE).collect();
        wait_until("all that may ask the service", || waiting().len() == SHARE).expect("asked");
        let dead = ask("diana", "die").expect_err("no answer");
        assert!(dead.contains("Access denied"), "{dead}");
        tidegate
            .wait_log("could not be asked: the process that asks it died")
            .expect("a reason in the log");
        let app = &group.accounts().app;
        assert!(ask(&app.user, &app.password).is_ok());
        let anna = ask("anna", &password);
        assert!(anna.is_ok(), "{anna:?}\n{}", tidegate.log());
        for client in clients {
            client.join().expect("its client");
        }
    });
    tidegate
        .wait_log("could not be asked: it did not answer within 10 s")
        .expect("a reason in the log");
    wait_until("what hangs to be ended", || {
        let runs = |id: &String| std::path::Path::new("/proc").join(id).exists();
        !waiting().iter().any(runs)
    })
    .expect("ended");
}

/// The processes that a process has started and not yet waited for, with their states.
fn children(parent: u32) -> Vec<(i32, char)> {
    let processes = std::fs::read_dir("/proc").expect("the processes");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let mut fields = stat.rsplit(')').next()?.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let of: u32 = fields.next()?.parse().ok()?;
        (of == parent).then_some((id, state))
    })
    .collect()
}

#[test]
fn a_helper_that_died_at_rest_is_replaced_before_anybody_notices() {
    let (group, password) = (group(), random());
    let service = Service::new(&annas(&password));
    account(&group, "anna", &service);
    let tidegate = Plan::new(&group)
        .listener("authenticator=PAMAuth\n")
        .start();
    let ask = || ask(&tidegate, "anna", &password, &["--skip-ssl"]);
    ask().expect("let in");
    let [(helper, _)] = children(tidegate.pid())[..] else {
        panic!("one helper, please: {:?}", children(tidegate.pid()));
    };
    let id = rustix::process::Pid::from_raw(helper).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("killed");
    wait_until("its end", || {
        children(tidegate.pid())
            .iter()
            .all(|(_, state)| *state == 'Z')
    })
    .expect("dead");
    ask().expect("let in again");
    let living = children(tidegate.pid());
    assert!(living.iter().all(|(id, _)| *id != helper), "{living:?}");
    assert_eq!(living.len(), 1);
}

/// Lets a second module ask for something that is no password, and a script compare it.
fn with_code(password: &str, code: &str) -> Service {
    let script = format!(
        "[ \"$PAM_RUSER\" = {code} ] || {{ [ -n \"$password\" ] && {}; }}",
        annas(password)
    );
    let lines = "auth required pam_exec.so quiet expose_authtok <check>\n\
                 auth required pam_ftp.so users=anna\n\
                 auth required pam_exec.so quiet <check>\n\
                 account required pam_permit.so\n";
    Service::of(&script, lines)
}

#[test]
fn a_code_is_asked_for_and_handed_on_to_servers() {
    let (group, password) = (group(), random());
    let service = with_code(&password, "c0de");
    account(&group, "anna", &service);
    let start = |mode: &str| {
        let listener = format!("authenticator=PAMAuth\nauthenticator_options=pam_mode={mode}\n");
        Plan::new(&group).listener(&listener).start()
    };
    let anna = Account {
        user: "anna".to_owned(),
        password: password.clone(),
    };
    let log_in = |tidegate: &Tidegate, answers: &[&str]| {
        let login = Login::new(&anna).answers(answers);
        RawClient::connect(tidegate.address("rw"), &login)
    };
    let both = start("password_2FA");
    let mut client = log_in(&both, &[&password, "c0de"]).expect("let in");
    assert_eq!(
        client.questions(),
        ["\u{4}Password: ", "\u{4}Verification code: "]
    );
    let who = client.query("SELECT CURRENT_USER()").expect("an answer");
    assert_eq!(
        who.text_value().expect("a name"),
        "anna@%",
        "{}",
        both.log()
    );
    for wrong in [[&*password, "wrong"], ["wrong", "c0de"]] {
        let refused = log_in(&both, &wrong).expect_err("a wrong answer");
        assert!(format!("{refused:#}").contains("1045"), "{refused:#}");
    }
    let one = start("password");
    log_in(&one, &[&password]).expect_err("no code");
    one.wait_log(
        "for which there is no answer; with pam_mode=password_2FA clients are asked for a code",
    )
    .expect("the reason in the log");
}

/// Lets the user `anonymous` in by the password, as `ftp`.
fn renaming(password: &str) -> Service {
    // The module makes this user another one, and keeps the password where the script sees it.
    let script = format!("[ \"$PAM_USER\" = ftp ] && [ \"$PAM_RUSER\" = {password} ]");
    let lines = "auth required pam_ftp.so\n\
                 auth required pam_exec.so quiet <check>\n\
                 account required pam_permit.so\n";
    Service::of(&script, lines)
}

/// Lets the anonymous account stand for this one, as GRANT PROXY does, which only a root of the server may say.
fn grant_proxy(user: &str) -> String {
    format!(
        "INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user) \
         VALUES ('%', '', '%', '{user}'); FLUSH PRIVILEGES"
    )
}

#[test]
fn servers_find_the_account_that_an_anonymous_one_stands_for() {
    let (group, password) = (group(), random());
    let service = renaming(&password);
    let accounts = format!(
        "CREATE USER ''@'%' IDENTIFIED VIA pam USING '{}'; CREATE USER ftp@'%' IDENTIFIED BY '{}'; \
         GRANT SELECT ON test.* TO ftp@'%';",
        service.name,
        random()
    );
    group.primary().sql(&accounts).expect("accounts");
    let grant = grant_proxy("ftp");
    group.primary().sql(&grant).expect("a privilege");
    let tidegate = Plan::new(&group)
        .listener("authenticator=PAMAuth,MariaDBAuth\n")
        .start();
    let options = ["--skip-ssl", "--database=test"];
    let told = ask(&tidegate, "anonymous", &password, &options);
    let expect = Ok("anonymous@127.0.0.1\tftp@%");
    assert_eq!(told.as_deref(), expect, "{}", tidegate.log());
    // The name has an account, so nobody looks for another one.
    ask(&tidegate, "ftp", &password, &options).expect_err("a wrong password");
}

#[test]
fn a_user_of_the_system_may_be_somebody_else_to_servers() {
    let (group, password, mapped) = (group(), random(), random());
    let service = renaming(&password);
    let accounts = format!(
        "CREATE USER anonymous@'%' IDENTIFIED VIA pam USING '{}'; \
         CREATE USER ftp@'%' IDENTIFIED BY '{mapped}'; GRANT SELECT ON *.* TO ftp@'%';",
        service.name
    );
    group.primary().sql(&accounts).expect("accounts");
    let folder = Scratch::new("tidegate-mapped").expect("a folder");
    let file = folder
        .write(
            "passwords.json",
            &format!(r#"{{"users_and_passwords": [{{"user": "ftp", "password": "{mapped}"}}]}}"#),
        )
        .expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).expect("its mode");
    let listener = format!(
        "authenticator=PAMAuth,MariaDBAuth\n\
         authenticator_options=pam_backend_mapping=mariadb,pam_mapped_pw_file={}\n",
        file.display()
    );
    let tidegate = Plan::new(&group).listener(&listener).start();
    let told = ask(&tidegate, "anonymous", &password, &["--skip-ssl"]);
    let expect = Ok("ftp@127.0.0.1\tftp@%");
    assert_eq!(told.as_deref(), expect, "{}", tidegate.log());
    ask(&tidegate, "anonymous", "wrong", &["--skip-ssl"]).expect_err("a wrong password");
    // Likewise where a session becomes that user, and where it becomes one that is not mapped.
    let app = &group.accounts().app;
    let script = format!(
        "change_user anonymous,{password},; SELECT CURRENT_USER() AS who;\n\
         change_user {},{},; SELECT CURRENT_USER() AS who;\n",
        app.user, app.password
    );
    let said = play(&tidegate, app, &script);
    assert_eq!(said, ["ftp@%", "app@%"], "{}", tidegate.log());
}

/// What MariaDB's test client prints of names, in a session of this account.
fn play(tidegate: &Tidegate, account: &Account, script: &str) -> Vec<String> {
    let folder = Scratch::new("tidegate-script").expect("a folder");
    let port = format!("--port={}", tidegate.address("rw").port());
    let place = ["--host=127.0.0.1".to_owned(), "--skip-ssl".to_owned(), port];
    let who = [&*account.user, &*account.password];
    let said = crate::grid::play(&folder, &place, who, &script.replace("; ", ";\n"))
        .unwrap_or_else(|error| panic!("{error}\n{}", tidegate.log()));
    let names = said.lines().filter(|line| line.contains("@%"));
    names.map(str::to_owned).collect()
}

#[test]
fn a_session_may_become_a_user_of_the_system() {
    let (group, password) = (group(), random());
    let service = Service::new(&annas(&password));
    account(&group, "anna", &service);
    let app = &group.accounts().app;
    for clear in [false, true] {
        let listener = format!(
            "authenticator=MariaDBAuth,PAMAuth\n\
             authenticator_options=pam_use_cleartext_plugin={clear}\n"
        );
        let tidegate = Plan::new(&group).listener(&listener).start();
        let script = format!(
            "SELECT CURRENT_USER() AS who; change_user anna,{password},; SELECT CURRENT_USER() AS who; \
             change_user {},{},; SELECT CURRENT_USER() AS who;\n",
            app.user, app.password
        );
        assert_eq!(play(&tidegate, app, &script), ["app@%", "anna@%", "app@%"]);
    }
}

#[test]
fn the_log_has_what_services_say_and_what_is_wrong_with_them() {
    let (group, password) = (group(), random());
    let lines = "auth optional pam_echo.so Welcome to this house, %u\n\
                 auth required pam_exec.so quiet expose_authtok <check>\n\
                 account required pam_permit.so\n";
    let greets = Service::of(&annas(&password), lines);
    account(&group, "anna", &greets);
    let barred = Service::of(
        "true",
        "auth required pam_exec.so quiet expose_authtok <check>\naccount required pam_deny.so\n",
    );
    account(&group, "berta", &barred);
    let missing = format!("{}-gone", greets.name);
    let carla = format!("CREATE USER carla@'%' IDENTIFIED VIA pam USING '{missing}'");
    group.primary().sql(&carla).expect("an account");
    let tidegate = Plan::new(&group)
        .listener("authenticator=PAMAuth\n")
        .start();
    let ask = |user: &str| ask(&tidegate, user, &password, &["--skip-ssl"]);
    let anna = ask("anna");
    assert_eq!(
        anna.as_deref(),
        Ok("anna@127.0.0.1\tanna@%"),
        "{}",
        tidegate.log()
    );
    let says = format!(
        "PAM service '{}' says: Welcome to this house, anna",
        greets.name
    );
    tidegate.wait_log(&says).expect("what it says");
    for user in ["berta", "carla"] {
        let denied = ask(user).expect_err("nobody is let in");
        assert!(denied.contains("Access denied"), "{denied}");
        let failed = format!("login of '{user}'@'127.0.0.1' failed: PAM service '");
        tidegate.wait_log(&failed).expect("a reason");
    }
    let warning = format!("PAM service '{missing}' has no description that can be read");
    tidegate.wait_log(&warning).expect("a warning");
}

#[test]
fn a_service_may_be_asked_with_the_rights_of_root() {
    let (group, password) = (group(), random());
    let folder = Scratch::new("tidegate-suid").expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("a folder that all see");
    let program = folder.path().join("tidegate");
    std::fs::copy(env!("CARGO_BIN_EXE_tidegate"), &program).expect("the program");
    let helper = folder.path().join("tidegate-pam-helper");
    let files = [&program, &helper].map(|path| path.display().to_string());
    let [from, to] = &files;
    as_root("install", &["-o", "root", "-m", "4755", from, to]);
    let seen = folder.folder("seen").expect("a folder").join("by");
    let script = format!("id -u >> {}\n{}", seen.display(), annas(&password));
    let lines = "auth required pam_exec.so quiet seteuid expose_authtok <check>\n\
                 account required pam_permit.so\n";
    let service = Service::of(&script, lines);
    account(&group, "anna", &service);
    let listener = "authenticator=PAMAuth\nauthenticator_options=pam_mode=suid\n";
    let plan = Plan::new(&group).listener(listener);
    let tidegate = plan.builder().binary(&program).start().expect("tidegate");
    let anna = ask(&tidegate, "anna", &password, &["--skip-ssl"]);
    assert!(anna.is_ok(), "{anna:?}\n{}", tidegate.log());
    let by = std::fs::read_to_string(&seen).expect("who has asked");
    assert_eq!(by.lines().next(), Some("0"), "{by}");
    // A program with such rights does nothing else.
    let mut other = Command::new(&helper);
    folder.disguise(&mut other);
    let other = other.arg("--version").output().expect("the helper");
    assert_eq!(other.status.code(), Some(3), "{other:?}");
    // Without that program the log says which one is wanted.
    as_root("rm", &["-f", to]);
    drop(tidegate);
    let tidegate = plan.builder().binary(&program).start().expect("tidegate");
    ask(&tidegate, "anna", &password, &["--skip-ssl"]).expect_err("no helper");
    let text = format!("could not be asked: {to}, which asks it, cannot be started");
    tidegate.wait_log(&text).expect("the reason");
}

#[test]
fn a_service_may_be_asked_at_a_socket() {
    use std::os::fd::OwnedFd;
    let (group, password) = (group(), random());
    let service = Service::new(&annas(&password));
    account(&group, "anna", &service);
    let folder = Scratch::new("tidegate-socket").expect("a folder");
    let path = folder.path().join("pam.sock");
    let socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    folder.give_away(&path).expect("a socket for the proxy");
    // As a service manager does it: one process for each connection.
    let manager = std::thread::spawn(move || {
        for stream in socket.incoming() {
            let stream = stream.expect("a connection");
            let end = OwnedFd::from(stream.try_clone().expect("its other end"));
            let helper = Command::new(env!("CARGO_BIN_EXE_tidegate"))
                .arg("pam-helper")
                .stdin(OwnedFd::from(stream))
                .stdout(end)
                .spawn();
            let mut helper = helper.expect("a helper");
            std::thread::spawn(move || helper.wait());
        }
    });
    let options = format!("pam_mode=suid,pam_helper_socket={}", path.display());
    let listener = format!("authenticator=PAMAuth\nauthenticator_options={options}\n");
    let tidegate = Plan::new(&group).listener(&listener).start();
    for _ in 0..2 {
        let anna = ask(&tidegate, "anna", &password, &["--skip-ssl"]);
        assert!(anna.is_ok(), "{anna:?}\n{}", tidegate.log());
    }
    ask(&tidegate, "anna", "wrong", &["--skip-ssl"]).expect_err("a wrong password");
    assert!(children(tidegate.pid()).is_empty());
    let place = path.display().to_string();
    let (status, said) = test_by_hand(
        &["--service", &service.name, "--socket", &place, "anna"],
        &password,
    );
    assert_eq!((status, &*said), (Some(0), "'anna' is let in\n"));
    std::fs::remove_file(&path).expect("removed");
    assert!(!manager.is_finished());
    let (status, said) = test_by_hand(&["--socket", &place, "anna"], &password);
    assert_eq!(status, Some(3));
    assert!(
        said.contains("could not be asked: pam_helper_socket"),
        "{said}"
    );
}

#[test]
fn whoever_has_no_account_may_have_one_by_pam() {
    let (group, password) = (group(), random());
    let service = Service::new(&annas(&password));
    let accounts = format!(
        "CREATE USER ''@'%' IDENTIFIED VIA pam USING '{}'; CREATE USER staff@'%' IDENTIFIED BY '{}'; \
         GRANT SELECT ON test.* TO staff@'%'; CREATE USER anna@'%' IDENTIFIED BY '{}'; \
         DROP USER anna@'%';",
        service.name,
        random(),
        random(),
    );
    group.primary().sql(&accounts).expect("accounts");
    let start = || {
        Plan::new(&group)
            .listener("authenticator=PAMAuth,MariaDBAuth\n")
            .start()
    };
    let tidegate = start();
    let barred = ask(&tidegate, "anna", &password, &["--skip-ssl"]).expect_err("no privilege");
    assert!(barred.contains("Access denied"), "{barred}");
    tidegate
        .wait_log("has pam and no PROXY privilege")
        .expect("the reason in the log");
    let grant = grant_proxy("staff");
    group.primary().sql(&grant).expect("a privilege");
    let tidegate = start();
    let told = ask(&tidegate, "anna", &password, &["--skip-ssl"]);
    assert_eq!(
        told.as_deref(),
        Ok("anna@127.0.0.1\t@%"),
        "{}",
        tidegate.log()
    );
    tidegate
        .wait_log("user 'anna' has no account; the anonymous account ''@'%' has PAM say who it is")
        .expect("a line about it");
    assert!(ask(&tidegate, "anna", "wrong", &["--skip-ssl"]).is_err());
}

/// The status of `tidegate pam-test` with these words, and what it said.
fn test_by_hand(words: &[&str], password: &str) -> (Option<i32>, String) {
    let mut tidegate = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .arg("pam-test")
        .args(words)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("tidegate");
    let mut input = tidegate.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, format!("{password}\n").as_bytes()).expect("written");
    drop(input);
    let output = tidegate.wait_with_output().expect("its end");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn a_service_can_be_tried_by_hand() {
    let password = random();
    let service = Service::new(&annas(&password));
    let tried = |password: &str| test_by_hand(&["--service", &service.name, "anna"], password);
    let (status, said) = tried(&password);
    assert_eq!((status, said.as_str()), (Some(0), "'anna' is let in\n"));
    let (status, said) = tried("wrong");
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("'anna' is not let in: "), "{said}");
    let service = with_code(&password, "c0de");
    let words = ["--service", &service.name, "--code", "anna"];
    let (status, said) = test_by_hand(&words, &format!("{password}\nc0de"));
    assert_eq!((status, said.as_str()), (Some(0), "'anna' is let in\n"));
    let (status, said) = test_by_hand(&words[..2], "");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("one user, please"), "{said}");
}
