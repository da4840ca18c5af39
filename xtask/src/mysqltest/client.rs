//! What stands in for MariaDB's test client: a fresh proxy before the test's server, and the real
//! client before the proxy.
//!
//! The runner starts it once a test, with the arguments for the real client. The client, and the
//! other client programs that a test calls, find the proxy where the server would be: in a copy of
//! the runner's options file, in the variables that hold the server's socket, and at the server's
//! own port, since the server listens at another address of the machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::mariadb::find_program;
use tidegate_testkit::{PATIENCE, Tidegate, wait_for};

use super::options::{CLIENT_ADDRESS, Place, SERVER_ADDRESS, with_clients_at};
use crate::args::Args;
use crate::shell;

/// The task's help.
pub(crate) const HELP: &str = "\
what mysql-test starts in place of MariaDB's test client
  ROUTER PROGRAM CLIENT ITSELF [arguments of the client]";

/// Variables that tell how to start the server, and so keep the runner's own options file.
const OF_SERVERS: &str = "MYSQLD";

/// The proxy's socket, in its folder.
const SOCKET: &str = "client.sock";

/// Ends all other connections to a server, as its administrator.
const ALONE: &str = "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1094 BEGIN END; FOR it IN (SELECT id FROM information_schema.processlist \
    WHERE user = 'root' AND id <> CONNECTION_ID()) DO EXECUTE IMMEDIATE CONCAT('KILL ', it.id); \
    END FOR; END";

/// What no proxy may say, whatever the test finds.
const PANIC: &str = "panicked at";

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let mut word = || args.word().context("words are missing; see --help");
    let (router, program, client, itself) = (word()?, word()?, word()?, word()?);
    let arguments = args.rest();
    let options = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("--defaults-file="))
        .map(PathBuf::from)
        .context("the client is given no options file")?;
    let text = fs::read_to_string(&options)
        .with_context(|| format!("cannot read {}", options.display()))?;
    let server = Place::of_first_server(&text)?;
    let tidegate = start(&router, Path::new(&program), &server)?;
    let socket = tidegate.folder().join(SOCKET).display().to_string();
    let copy = tidegate.folder().join("my.cnf");
    fs::write(&copy, with_clients_at(&text, &server, &socket))?;
    let moves = [
        (server.socket.as_str(), socket.as_str()),
        (&options.display().to_string(), &copy.display().to_string()),
        // A test that starts another client finds the proxy that there is.
        (itself.as_str(), client.as_str()),
    ];
    let mut command = Command::new(&client);
    command.args(arguments.iter().map(|argument| moved(argument, &moves)));
    for (name, value) in env::vars_os() {
        // What is no text names no file of ours.
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
            && !name.starts_with(OF_SERVERS)
        {
            command.env(name, moved(value, &moves));
        }
    }
    let status = command
        .status()
        .with_context(|| format!("cannot start {client}"))?;
    let log = tidegate.log();
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let code = code.with_context(|| format!("the test client ended by {status}"))?;
    if code != 0 {
        eprintln!("what Tidegate logged:\n{log}");
    }
    ensure!(!log.contains(PANIC), "Tidegate panicked:\n{log}");
    Ok(ExitCode::from(code))
}

/// A proxy that knows its server, and leaves it alone from then on: the connection of a monitor
/// would show in what tests print about the server. Who comes through the socket goes on
/// through the server's socket, and who comes through the port through its port: accounts tell
/// the two apart.
fn start(router: &str, program: &Path, server: &Place) -> Result<Tidegate> {
    let router = match router {
        "readconnroute" => "readconnroute\nrouter_options=master",
        other => other,
    };
    let mut ways = vec![Way {
        name: "socket",
        server: format!("socket={}", server.socket),
        listener: format!("socket=<folder>/{SOCKET}"),
    }];
    if server.leaves_its_port() {
        ways.push(Way {
            name: "port",
            server: format!("address={SERVER_ADDRESS}\nport={}", server.port),
            listener: format!("address={CLIENT_ADDRESS}\nport={}", server.port),
        });
    }
    let mut config = String::from(
        "[maxscale]\nthreads=2\nadmin_port=<port:admin>\nadmin_auth=false\nusers_refresh_time=0s\n\n",
    );
    for Way {
        name,
        server,
        listener,
    } in &ways
    {
        config.push_str(&format!(
            "[by-{name}]\ntype=server\n{server}\n\n\
             [{name}]\ntype=service\nrouter={router}\nservers=by-{name}\nuser=root\npassword=\"\"\n\
             enable_root_user=true\n\n\
             [watch-{name}]\ntype=monitor\nmodule=mariadbmon\nservers=by-{name}\nuser=root\n\
             password=\"\"\nmonitor_interval=1h\n\n\
             [{name}-listener]\ntype=listener\nservice={name}\n{listener}\n\n"
        ));
    }
    let tidegate = Tidegate::builder(&config).binary(program).start()?;
    for Way { name, .. } in &ways {
        let server = format!("/v1/servers/by-{name}");
        wait_for("the server to be the primary", PATIENCE, || {
            let shown = tidegate.rest().get(&server)?;
            Ok(shown.text().contains("\"Master, Running\"").then_some(()))
        })
        .with_context(|| tidegate.log())?;
        tidegate.wait_log(&format!("accounts from 'by-{name}'"))?;
    }
    let mut alone = Command::new(find_program(&["mariadb", "mysql"])?);
    alone
        .args(["--no-defaults", "--user=root", "--delimiter=//"])
        .args(["--execute", ALONE])
        .arg(format!("--socket={}", server.socket));
    shell::output(&mut alone)?;
    Ok(tidegate)
}

/// One of the ways from a client to the server.
struct Way {
    name: &'static str,
    server: String,
    listener: String,
}

fn moved(text: &str, moves: &[(&str, &str)]) -> String {
    moves
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
