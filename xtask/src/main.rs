//! The project's own tasks, `cargo xtask NAME`.
//!
//! One table of commands; each lives in a module of its own. What they leave out: anything that
//! `cargo` already does well by itself.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod clients;
mod demo;
mod foreign;
mod mysqltest;
mod packages;
mod policy;
mod release;
mod shell;
mod signals;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

use args::Args;

/// One task.
struct Command {
    name: &'static str,
    help: &'static str,
    /// An error is told; a failure the task has told itself.
    run: fn(Args) -> Result<ExitCode>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        help: demo::HELP,
        run: demo::run,
    },
    Command {
        name: "test",
        help: test::HELP,
        run: test::run,
    },
    Command {
        name: "bench",
        help: bench::HELP,
        run: bench::run,
    },
    Command {
        name: "tidy",
        help: tidy::HELP,
        run: tidy::run,
    },
    Command {
        name: "policy",
        help: policy::HELP,
        run: policy::run,
    },
    Command {
        name: "mysql-test",
        help: mysqltest::HELP,
        run: mysqltest::run,
    },
    Command {
        name: "mysql-test-client",
        help: mysqltest::CLIENT_HELP,
        run: mysqltest::run_client,
    },
    Command {
        name: "setup",
        help: packages::HELP,
        run: packages::run,
    },
];

fn main() -> ExitCode {
    match dispatch(Args::from_command_line()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut args: Args) -> Result<ExitCode> {
    let name = args.word().unwrap_or_default();
    if ["", "help", "--help", "-h"].contains(&name.as_str()) {
        println!("{}", usage());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        bail!("no task {name:?}\n\n{}", usage());
    };
    if args.asks_for_help() {
        println!("cargo xtask {name}: {}", command.help);
        return Ok(ExitCode::SUCCESS);
    }
    (command.run)(args)
}

/// The exit code of a task that has counted its failures and told them.
fn verdict(failed: u64) -> ExitCode {
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn usage() -> String {
    let mut text = String::from("cargo xtask TASK [options]; each task explains --help\n");
    for command in COMMANDS {
        let summary = command.help.lines().next().unwrap_or_default();
        text.push_str(&format!("\n  {:17} {summary}", command.name));
    }
    text
}
