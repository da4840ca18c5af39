//! What must hold for any configuration files and any command line: the bodies of the fuzz targets,
//! which stable tests run too.

#[path = "../it/modules.rs"]
mod modules;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::sync::LazyLock;

use tidegate_config::{Config, Errors, Loader, MemoryFiles, Registry, cli, load_text};

/// A body with its name, which is its target's and its corpus folder's.
pub(crate) type Body = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const BODIES: &[Body] = &[("config_file", file), ("config_command_line", command_line)];

static REGISTRY: LazyLock<Registry> = LazyLock::new(modules::registry);

/// A main file and, behind a NUL byte, another that it may include. They are loaded or refused;
/// what is refused is named with a place that exists, and what is loaded can be written and read
/// again.
pub(crate) fn file(data: &[u8]) {
    let mut pieces = data.splitn(2, |byte| *byte == 0);
    let main = pieces.next().unwrap_or_default();
    let other = pieces.next().unwrap_or_default();
    let files = MemoryFiles::new()
        .file("/etc/main.cnf", main)
        .file("/etc/main.cnf.d/other.cnf", other)
        .set("A", "a value")
        .set("E", "");
    match Loader::new(&files, &REGISTRY).load(Path::new("/etc/main.cnf")) {
        Ok(config) => check_written(&config),
        Err(errors) => check_places(&errors, [main, other].map(lines).into_iter().max()),
    }
}

fn lines(text: &[u8]) -> u32 {
    text.split(|byte| *byte == b'\n').count() as u32
}

fn check_written(config: &Config) {
    let written = config.export();
    let again = load_text(written.reveal(), &REGISTRY);
    let again = again.unwrap_or_else(|errors| panic!("{}\n{errors}", written.reveal()));
    assert_eq!(again.export().reveal(), written.reveal());
}

fn check_places(errors: &Errors, longest: Option<u32>) {
    assert!(!errors.errors.is_empty(), "refused without a reason");
    for problem in errors.errors.iter().chain(&errors.warnings) {
        assert!(Some(problem.place.line) <= longest, "{problem}");
        assert!(!problem.to_string().contains('\n'), "{problem}");
    }
}

/// The words of a command line, one a line: understood, or refused with a reason.
pub(crate) fn command_line(data: &[u8]) {
    let words = data
        .split(|byte| *byte == b'\n')
        .map(|word| OsString::from_vec(word.to_vec()));
    match cli::parse(words) {
        Ok(arguments) => drop(arguments.main_file(|_| false)),
        Err(error) => assert_ne!(error.to_string(), ""),
    }
}
