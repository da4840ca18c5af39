//! The table of rooms: which package may know which.
//!
//! The same table as in ARCHITECTURE.md, which says why. A new edge is a deliberate change of
//! both. A room's tests may use any room that stands further up in the table: those cannot know
//! it, so no circle comes of it.

use super::house::{Finding, House};

/// A room and the rooms it may import. Packages are named `tidegate-<room>`, but for the binaries.
pub(super) struct Room {
    pub(super) name: &'static str,
    pub(super) knows: &'static [&'static str],
}

/// Bytes, text and states: no input or output, no time of their own.
pub(super) const GROUND: [&str; 4] = ["wire", "sql", "config", "session"];

/// Packages that are not `tidegate-<room>`.
const PLAIN_NAMES: [&str; 3] = ["tidegate", "tidectl", "xtask"];

/// Tools that any room's tests may use.
const TEST_TOOLS: [&str; 1] = ["testkit"];

const TABLE: &[Room] = &[
    Room {
        name: "wire",
        knows: &[],
    },
    Room {
        name: "sql",
        knows: &[],
    },
    Room {
        name: "config",
        knows: &[],
    },
    Room {
        name: "jsonapi",
        knows: &[],
    },
    Room {
        name: "tls",
        knows: &[],
    },
    Room {
        name: "testkit",
        knows: &[],
    },
    Room {
        name: "proofs",
        knows: &["wire"],
    },
    Room {
        name: "session",
        knows: &["wire", "sql"],
    },
    Room {
        name: "routers",
        knows: &["session", "wire", "sql", "config"],
    },
    Room {
        name: "filters",
        knows: &["session", "wire", "sql", "config"],
    },
    Room {
        name: "sqlclient",
        knows: &["proofs", "tls", "wire", "config"],
    },
    Room {
        name: "accounts",
        knows: &["proofs", "tls", "sqlclient", "wire", "config"],
    },
    Room {
        name: "monitors",
        knows: &["tls", "sqlclient", "wire", "config"],
    },
    Room {
        name: "keys",
        knows: &["tls", "config"],
    },
    Room {
        name: "runtime",
        knows: &["session", "wire", "sql", "tls"],
    },
    Room {
        name: "catalog",
        knows: &[
            "runtime",
            "monitors",
            "accounts",
            "sqlclient",
            "proofs",
            "tls",
            "routers",
            "filters",
            "session",
            "wire",
            "sql",
            "config",
        ],
    },
    Room {
        name: "admin",
        knows: &["jsonapi"],
    },
    Room {
        name: "sim",
        knows: &["routers", "filters", "session", "wire", "sql", "config"],
    },
    Room {
        name: "tidegate",
        knows: &[
            "admin",
            "jsonapi",
            "catalog",
            "keys",
            "runtime",
            "monitors",
            "accounts",
            "sqlclient",
            "routers",
            "filters",
            "session",
            "wire",
            "sql",
            "config",
        ],
    },
    Room {
        name: "tidectl",
        knows: &["jsonapi"],
    },
    Room {
        name: "xtask",
        knows: &["testkit"],
    },
];

/// The package's name of a room.
fn package_name(room: &str) -> String {
    if PLAIN_NAMES.contains(&room) {
        room.to_owned()
    } else {
        format!("tidegate-{room}")
    }
}

pub(super) fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    let architecture = house
        .file("ARCHITECTURE.md")
        .map_or("", |file| file.text.as_str());
    for package in &house.packages {
        let place = format!("{}/Cargo.toml", package.folder);
        let folder = package.folder.rsplit('/').next().unwrap_or_default();
        let Some(index) = TABLE.iter().position(|room| room.name == folder) else {
            findings.push(Finding::new(place, "this room is not in the table"));
            continue;
        };
        let (below, room) = (&TABLE[..index], &TABLE[index]);
        if package.name != package_name(room.name) {
            let text = format!("is named {}, not {}", package.name, package_name(room.name));
            findings.push(Finding::new(place.clone(), text));
        }
        if !architecture.contains(&format!("`{}`", room.name)) {
            findings.push(Finding::new(
                place.clone(),
                "ARCHITECTURE.md does not name this room",
            ));
        }
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.ours)
        {
            let is_it = |name: &&str| package_name(name) == dependency.name;
            let known = room.knows.iter().any(is_it)
                || (dependency.dev && TEST_TOOLS.iter().any(is_it))
                || (dependency.dev && below.iter().any(|room| is_it(&room.name)));
            if !known {
                let text = format!("{} must not know {}", room.name, dependency.name);
                findings.push(Finding::new(place.clone(), text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::house::{Dependency, Package, SourceFile};
    use super::*;

    fn check_edge(folder: &str, dependency: &str, dev: bool) -> usize {
        let room = folder.rsplit('/').next().unwrap_or_default();
        let house = House {
            files: vec![SourceFile::new("ARCHITECTURE.md", format!("`{room}`"))],
            packages: vec![Package {
                folder: folder.to_owned(),
                name: package_name(room),
                dependencies: vec![Dependency {
                    name: dependency.to_owned(),
                    dev,
                    ours: true,
                }],
            }],
        };
        check(&house).len()
    }

    #[test]
    fn edges_outside_the_table_are_found() {
        assert_eq!(check_edge("crates/session", "tidegate-wire", false), 0);
        assert_eq!(check_edge("crates/wire", "tidegate-session", false), 1);
        assert_eq!(check_edge("crates/wire", "tidegate-session", true), 1);
        assert_eq!(check_edge("crates/runtime", "tidegate-routers", false), 1);
        assert_eq!(check_edge("crates/runtime", "tidegate-routers", true), 0);
        assert_eq!(check_edge("crates/wire", "tidegate-testkit", true), 0);
        assert_eq!(check_edge("crates/wire", "tidegate-testkit", false), 1);
        assert_eq!(check_edge("crates/cellar", "tidegate-wire", false), 1);
    }

    #[test]
    fn the_table_only_goes_up() {
        for (index, room) in TABLE.iter().enumerate() {
            for known in room.knows {
                let place = TABLE.iter().position(|other| other.name == *known);
                assert!(
                    place.is_some_and(|place| place < index),
                    "{} -> {known}",
                    room.name
                );
            }
        }
    }
}
