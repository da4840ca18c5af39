//! Loading the configuration with everything the command line and the machine have to say.

use tidegate_config::cli::Arguments;
use tidegate_config::{
    ByteSize, CLI_ROUTER, Config, Loader, MARIADB_PROTOCOL, MAXSCALED_PROTOCOL, Machine, Registry,
};

use crate::exit::Failure;
use crate::files::Disk;
use crate::secrets;

/// The whole configuration, or everything that is wrong with it.
pub(crate) fn load(arguments: &Arguments) -> Result<Config, Failure> {
    let (main, stands_in) = arguments.main_file(|path| path.exists());
    if stands_in {
        eprintln!(
            "tidegate: no configuration of its own was found, reading '{}'",
            main.display()
        );
    }
    let registry = registry();
    Loader::new(&Disk, &registry)
        .keys(&secrets::Disk)
        .machine(machine())
        .locations(arguments.locations.clone())
        .options(arguments.parameters.clone())
        .load(&main)
        .map_err(Failure::Config)
}

/// Every module there is.
pub(crate) fn registry() -> Registry {
    let routers = tidegate_routers::ROUTERS
        .iter()
        .map(|module| module.declaration);
    let filters = tidegate_filters::FILTERS
        .iter()
        .map(|module| module.declaration);
    let others = [
        &tidegate_monitors::mariadbmon::params::MODULE,
        &MARIADB_PROTOCOL,
        &MAXSCALED_PROTOCOL,
        &CLI_ROUTER,
    ];
    Registry::new(routers.chain(filters).chain(others))
}

fn machine() -> Machine {
    let machine = tidegate_runtime::Machine::look();
    Machine {
        cores: machine.workers() as u64,
        memory: ByteSize(machine.memory_available_bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// The reference page of all parameters is written from their declarations.
    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parameters.md");
        let page = tidegate_config::reference_page(&super::registry());
        if std::env::var_os("TIDEGATE_BLESS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/parameters.md is stale: run this test with TIDEGATE_BLESS=1"
        );
    }
}
