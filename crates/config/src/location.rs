//! Where default paths lie: under the program's own name or the original's, below a base
//! directory or not.

use std::path::{Path, PathBuf};

/// What moves default paths. Paths that are written in the configuration stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Locations {
    /// Default paths say `maxscale`, as the original's do, instead of `tidegate`.
    pub compat_paths: bool,
    /// Everything lies below this directory.
    pub base: Option<PathBuf>,
    /// Configuration and runtime files lie below this directory, programs do not.
    pub runtime: Option<PathBuf>,
}

impl Locations {
    /// Where a default path, spelled as the original spells it, really lies.
    #[must_use]
    pub fn place(&self, default: &str) -> PathBuf {
        let named = if self.compat_paths {
            default.to_owned()
        } else {
            default.replace("maxscale", "tidegate")
        };
        let movable = named.starts_with("/etc") || named.starts_with("/var");
        let below = match (&self.base, &self.runtime) {
            (_, Some(runtime)) if movable => Some(runtime),
            (base, _) => base.as_ref(),
        };
        match below {
            Some(below) => below.join(named.trim_start_matches('/')),
            None => PathBuf::from(named),
        }
    }

    /// The main file when none is named: the program's own, or else the original's. The
    /// second value says that it is the original's although the own name was asked for.
    #[must_use]
    pub fn main_file(&self, exists: impl Fn(&Path) -> bool) -> (PathBuf, bool) {
        let own = self.place("/etc/maxscale.cnf");
        let original = Self {
            compat_paths: true,
            ..self.clone()
        }
        .place("/etc/maxscale.cnf");
        if !self.compat_paths && !exists(&own) && exists(&original) {
            (original, true)
        } else {
            (own, false)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Locations;

    #[test]
    fn defaults_move_as_a_whole() {
        let check = |locations: &Locations, default, expected: &str| {
            assert_eq!(locations.place(default), Path::new(expected));
        };
        let own = Locations::default();
        check(&own, "/var/log/maxscale", "/var/log/tidegate");
        let compat = Locations {
            compat_paths: true,
            ..own
        };
        check(&compat, "/var/log/maxscale", "/var/log/maxscale");
        let based = Locations {
            base: Some(PathBuf::from("/b")),
            ..compat.clone()
        };
        check(&based, "/usr/bin", "/b/usr/bin");
        let runtime = Locations {
            runtime: Some(PathBuf::from("/r")),
            ..compat
        };
        check(&runtime, "/usr/bin", "/usr/bin");
        check(&runtime, "/etc/maxscale.cnf", "/r/etc/maxscale.cnf");
    }

    #[test]
    fn the_originals_file_is_found() {
        let own = Locations::default();
        let original = PathBuf::from("/etc/maxscale.cnf");
        assert_eq!(own.main_file(|path| path == original), (original, true));
        assert_eq!(
            own.main_file(|_| true),
            (PathBuf::from("/etc/tidegate.cnf"), false)
        );
    }
}
