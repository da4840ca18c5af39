//! Accounts with `pam`: clients are let in by login services of this machine, and servers by the same.
//!
//! The services are made for a test, in the system's own folder, and removed with it; that needs root, which
//! is asked for by `sudo` where the tests run as somebody else. They leave the check to a script.

use std::path::PathBuf;
use std::process::Command;

use tidegate_testkit::mariadb::Account;
use tidegate_testkit::{Scratch, ServerGroup, Tidegate, wait_until};

use crate::house::Plan;

/// A login service that a script decides for.
struct Service {
    name: String,
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
    fn new(script: &str) -> Service {
        let folder = Scratch::new("tidegate-pam").expect("a folder");
        let check = folder
            .write(
                "check",
                &format!("#!/bin/sh\npassword=$(cat | tr -d '\\0')\n{script}\n"),
            )
            .expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&check, mode).expect("a program");
        // The folder's own name has been given to nobody else.
        let name = folder.path().file_name().expect("a name");
        let name = name.to_string_lossy().to_lowercase();
        let lines = format!(
            "auth required pam_exec.so quiet expose_authtok {}\naccount required pam_permit.so\n",
            check.display()
        );
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

/// What MariaDB's client prints, or what it says went wrong.
fn ask(
    tidegate: &Tidegate,
    user: &str,
    password: &str,
    options: &[&str],
) -> Result<String, String> {
    let output = Command::new("mariadb")
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
        .args(["--batch", "--skip-column-names"])
        .arg(format!("--port={}", tidegate.address("rw").port()))
        .args([format!("--user={user}"), format!("--password={password}")])
        .args(options)
        .args(["--execute", "SELECT USER(), CURRENT_USER()"])
        .output()
        .expect("the mariadb client");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
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

#[test]
fn a_service_that_hangs_or_dies_harms_nobody_else() {
    let (group, password) = (group(), random());
    let folder = Scratch::new("tidegate-hang").expect("a folder");
    let (here, go_on) = (folder.path().join("here"), folder.path().join("go-on"));
    let script = format!(
        "case \"$password\" in\n  wait) touch {}; while ! [ -e {} ]; do sleep 0.05; done;;\n  \
         die) kill -9 $PPID;;\nesac\n{}",
        here.display(),
        go_on.display(),
        annas(&password)
    );
    let service = Service::new(&script);
    let account = format!(
        "CREATE USER anna@'%' IDENTIFIED VIA pam USING '{}'",
        service.name
    );
    group.primary().sql(&account).expect("an account");
    let tidegate = Plan::new(&group)
        .listener("authenticator=PAMAuth,MariaDBAuth\n")
        .start();
    let ask = |user: &str, password: &str| ask(&tidegate, user, password, &["--skip-ssl"]);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| ask("anna", "wait"));
        wait_until("the service that waits", || here.exists()).expect("asked");
        let dead = ask("anna", "die").expect_err("no answer");
        assert!(dead.contains("Access denied"), "{dead}");
        tidegate
            .wait_log("that asks PAM")
            .expect("a reason in the log");
        let app = &group.accounts().app;
        assert!(ask(&app.user, &app.password).is_ok());
        let anna = ask("anna", &password);
        assert!(anna.is_ok(), "{anna:?}\n{}", tidegate.log());
        folder.write("go-on", "").expect("told");
        let waited = waits.join().expect("its client");
        assert!(
            waited
                .expect_err("a wrong password")
                .contains("Access denied")
        );
    });
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
    let grant = "INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user) \
                 VALUES ('%', '', '%', 'staff'); FLUSH PRIVILEGES";
    group.primary().sql(grant).expect("a privilege");
    let tidegate = start();
    let told = ask(&tidegate, "anna", &password, &["--skip-ssl"]);
    assert_eq!(
        told.as_deref(),
        Ok("anna@127.0.0.1\t@%"),
        "{}",
        tidegate.log()
    );
    assert!(ask(&tidegate, "anna", "wrong", &["--skip-ssl"]).is_err());
}

#[test]
fn a_service_can_be_tried_by_hand() {
    let password = random();
    let service = Service::new(&annas(&password));
    let tried = |user: &str, password: &str| {
        let mut tidegate = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["pam-test", "--service", &service.name, user])
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
    };
    let (status, said) = tried("anna", &password);
    assert_eq!((status, said.as_str()), (Some(0), "'anna' is let in\n"));
    let (status, said) = tried("anna", "wrong");
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("'anna' is not let in: "), "{said}");
}
