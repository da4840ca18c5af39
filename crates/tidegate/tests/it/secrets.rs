//! Encrypted passwords: the helper programs, and a configuration that holds what they print.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tidegate_testkit::{PATIENCE, Scratch};

use crate::authentication::private_file;
use crate::house::{Plan, connect, document, group, value};
use crate::start::text;

/// Runs a helper program.
fn tool(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program")
}

/// What it prints, in one line.
fn printed(arguments: &[&str]) -> String {
    let output = tool(arguments);
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).trim_end().to_owned()
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a text")
}

#[test]
fn a_key_is_made_once_and_passwords_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = shown(folder.path());
    printed(&["keys", folder]);
    let path = Path::new(folder).join(".secrets");
    let mode = fs::metadata(&path).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o400);
    let before = fs::read(&path).expect("the key");
    let again = tool(&["keys", folder]);
    assert_eq!(again.status.code(), Some(3), "{again:?}");
    assert_eq!(fs::read(&path).expect("the key"), before, "as it was");

    let cipher = printed(&["passwd", folder, "hunter2"]);
    assert_eq!(cipher.len(), 64, "IV and one block: {cipher}");
    assert!(
        cipher
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
    );
    assert_ne!(
        cipher,
        printed(&["passwd", folder, "hunter2"]),
        "another IV"
    );
    assert_eq!(printed(&["passwd", "-d", shown(&path), &cipher]), "hunter2");
    let modern = printed(&["passwd", "--modern", folder, "hunter2"]);
    assert!(modern.starts_with("enc:v2:"), "{modern}");

    printed(&["keys", "--rotate", folder]);
    for old in [&cipher, &modern] {
        assert_eq!(printed(&["passwd", "--decrypt", folder, old]), "hunter2");
    }
    assert_ne!(fs::read(&path).expect("the key"), before);
}

#[test]
fn a_password_can_come_through_a_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = shown(folder.path());
    printed(&["keys", folder]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["passwd", "-i", folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut input = child.stdin.take().expect("its input");
    input
        .write_all(b"with a blank \nand more\n")
        .expect("written");
    drop(input);
    let output = child.wait_with_output().expect("its output");
    let cipher = text(&output.stdout);
    let clear = printed(&["passwd", "-d", folder, cipher.trim_end()]);
    assert_eq!(clear, "with a blank");
    let clear = tool(&["passwd", "-d", folder, cipher.trim_end()]).stdout;
    assert_eq!(text(&clear), "with a blank \n");
}

#[test]
fn the_helper_programs_say_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = shown(folder.path());
    let check = |arguments: &[&str], status, said: &str| {
        let output = tool(arguments);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(text(&output.stderr).contains(said), "{output:?}");
    };
    check(&["passwd", folder, "x"], 3, "there is no key file");
    check(&["passwd"], 2, "no password");
    check(&["passwd", "a", "b", "c"], 2, "too many arguments");
    check(&["passwd", "-i", "a", "b"], 2, "too many arguments");
    check(&["passwd", "-z", "a"], 2, "unknown option '-z'");
    check(&["keys", "a", "b"], 2, "more than one directory");
    check(&["keys", "--user=no-such-user-here", folder], 3, "no user");
    printed(&["keys", folder]);
    check(&["passwd", "-d", folder, "xyz"], 3, "cannot be decrypted");
    check(&["passwd", "-d", folder, "00"], 3, "too short");
    assert!(printed(&["keys", "--help"]).contains("--rotate"));
}

#[test]
fn a_program_with_an_old_name_does_what_the_old_one_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = |name: &str, arguments: &[&str]| {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tidegate"), &link).expect("a link");
        let output = Command::new(link).args(arguments).output();
        output.expect("the program")
    };
    let path = shown(folder.path());
    assert!(old("maxkeys", &[path]).status.success());
    let cipher = old("maxpasswd", &[path, "hunter2"]).stdout;
    assert_eq!(
        printed(&["passwd", "-d", path, text(&cipher).trim_end()]),
        "hunter2"
    );
    let refused = old("maxscale", &["-c"]);
    assert!(
        text(&refused.stderr).contains("/etc/maxscale.cnf"),
        "{refused:?}"
    );
}

/// A folder with a key that the program under test may read.
fn keyed() -> (Arc<Scratch>, String) {
    let scratch = Scratch::new("tidegate-secrets").expect("a folder");
    let folder = scratch.folder("keys").expect("a folder");
    printed(&["keys", shown(&folder)]);
    scratch
        .give_away(&folder.join(".secrets"))
        .expect("its owner");
    let folder = shown(&folder).to_owned();
    (scratch, folder)
}

#[test]
fn a_configuration_with_encrypted_passwords_serves_and_shows_none() {
    let (scratch, folder) = keyed();
    let accounts = group().accounts();
    let service = printed(&["passwd", &folder, &accounts.service.password]);
    let monitor = printed(&["passwd", "--modern", &folder, &accounts.monitor.password]);
    let config = Plan::new(group())
        .globals(&format!("secretsdir={folder}\n"))
        .text()
        .replace(
            &format!("password={}\n", accounts.service.password),
            &format!("password={service}\n"),
        )
        .replace(
            &format!("password={}\n", accounts.monitor.password),
            &format!("password={monitor}\n"),
        );
    assert!(
        config.contains(&service) && config.contains(&monitor),
        "{config}"
    );
    let tidegate = tidegate_testkit::Tidegate::builder(&config)
        .scratch(&scratch)
        .start()
        .expect("tidegate");
    assert_eq!(value(&mut connect(&tidegate, "rw"), "SELECT 1"), "1");
    let export = scratch.path().join("tidegate/exported.cnf");
    let file = tidegate.folder().join("tidegate.cnf");
    let output = tool(&["-f", shown(&file), "-e", shown(&export)]);
    assert!(output.status.success(), "{output:?}");
    let exported = fs::read_to_string(&export).expect("the export");
    assert!(exported.contains(&service) && exported.contains(&monitor));
    for hidden in [&accounts.service.password, &accounts.monitor.password] {
        assert!(!exported.contains(hidden.as_str()), "{exported}");
    }
}

#[test]
fn a_mapping_file_may_hold_encrypted_passwords() {
    let (scratch, folder) = keyed();
    let app = &group().accounts().app;
    let cipher = printed(&["passwd", "--modern", &folder, &app.password]);
    let mapping = format!(
        r#"{{"user_map": [{{"original_user": "{0}", "mapped_user": "{0}"}}],
             "server_credentials": [{{"mapped_user": "{0}", "password": "{cipher}"}}]}}"#,
        app.user
    );
    let file = private_file(&scratch, "mapping.json", &mapping);
    let start = |globals: &str| {
        let plan = Plan::new(group())
            .globals(globals)
            .listener(&format!("user_mapping_file={file}\n"));
        // Random passwords look like encrypted ones.
        let text = plan.text().replace("password=", "password=plain:");
        tidegate_testkit::Tidegate::builder(&text).scratch(&scratch)
    };
    let tidegate = start(&format!("secretsdir={folder}\n")).start();
    let tidegate = tidegate.expect("tidegate");
    let mut client = connect(&tidegate, "rw");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
    let session = document(&tidegate, "/v1/sessions");
    let shown = &session["data"][0]["attributes"]["user_at_servers"];
    assert_eq!(shown, app.user.as_str(), "{session:#}");
    drop(tidegate);
    let mut keyless = start("").launch().expect("launched");
    keyless.wait(PATIENCE).expect("its end");
    let log = keyless.log();
    assert!(
        log.contains("a password cannot be decrypted: there is no key file"),
        "{log}"
    );
}

#[test]
fn a_wrong_or_open_key_stops_the_start_with_a_reason() {
    let (scratch, folder) = keyed();
    let (_other, foreign) = keyed();
    let password = printed(&["passwd", "--modern", &foreign, "hunter2"]);
    let config = format!(
        "[maxscale]\nsecretsdir={folder}\n[db1]\ntype=server\naddress=127.0.0.1\n\
         monitoruser=m\nmonitorpw={password}\n"
    );
    let refused = |said: &str| {
        let mut tidegate = tidegate_testkit::Tidegate::builder(&config)
            .scratch(&scratch)
            .launch()
            .expect("launched");
        let status = tidegate.wait(PATIENCE).expect("its end");
        let log = tidegate.log();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(said) && !log.contains(&password), "{log}");
    };
    refused("'monitorpw'");
    refused("which is not in the key file");
    let path = Path::new(&folder).join(".secrets");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("open");
    refused("may be read by others than its owner");
}
