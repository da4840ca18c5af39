//! The modules' declaration files, which know this crate and nothing else: compiled here, so
//! that every parameter there is goes through the same tests.
#![allow(unreachable_pub)]

#[path = "../../../filters/src/hintfilter/params.rs"]
pub(crate) mod hintfilter;
#[path = "../../../monitors/src/mariadbmon/params.rs"]
pub(crate) mod mariadbmon;
#[path = "../../../filters/src/qlafilter/params.rs"]
pub(crate) mod qlafilter;
#[path = "../../../routers/src/readconnroute/params.rs"]
pub(crate) mod readconnroute;
#[path = "../../../routers/src/readwritesplit/params.rs"]
pub(crate) mod readwritesplit;

use tidegate_config::Registry;

/// All modules.
pub(crate) fn registry() -> Registry {
    Registry::new([
        &readwritesplit::MODULE,
        &readconnroute::MODULE,
        &mariadbmon::MODULE,
        &hintfilter::MODULE,
        &qlafilter::MODULE,
    ])
}
