//! Options of the command line against the file.

use std::ffi::OsString;
use std::path::Path;

use tidegate_config::{Loader, MemoryFiles, cli};

use crate::modules::registry;

#[test]
fn an_option_beats_the_file() {
    let words = [
        "-dU",
        "proxy",
        "--logdir=/from/option",
        "--passive",
        "-f",
        "/x.cnf",
    ];
    let arguments = cli::parse(words.map(OsString::from)).unwrap();
    let files = MemoryFiles::new().file(
        "/x.cnf",
        "[maxscale]\nlogdir=/from/file\ndatadir=/data\nsubstitute_variables=true\n",
    );
    let registry = registry();
    let config = Loader::new(&files, &registry)
        .locations(arguments.locations.clone())
        .options(arguments.parameters.clone())
        .load(&arguments.main_file(|_| false).0)
        .unwrap();
    let directories = &config.maxscale.params.directories;
    assert_eq!(directories.logdir, Path::new("/from/option"));
    assert_eq!(directories.datadir, Path::new("/data"));
    assert!(config.maxscale.params.statements.passive);
}

#[test]
fn a_bad_value_of_an_option_is_an_error_of_the_command_line() {
    let arguments = cli::parse(["--maxlog=perhaps"].map(OsString::from)).unwrap();
    let files = MemoryFiles::new().file("/x.cnf", "");
    let registry = registry();
    let errors = Loader::new(&files, &registry)
        .options(arguments.parameters)
        .load(Path::new("/x.cnf"))
        .unwrap_err();
    let expected = "command line: section 'maxscale', parameter 'maxlog': \
                    'perhaps' is no boolean; write true or false";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn the_usage_names_every_option() {
    let usage = cli::usage("tidegate");
    for option in cli::OPTIONS {
        assert!(
            usage.contains(&format!("--{}", option.long)),
            "{}",
            option.long
        );
    }
}
