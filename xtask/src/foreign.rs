//! Servers of other releases than the system's, for tests: unpacked into the target folder.
//!
//! They come as Debian's packages of later releases, checked by the signatures of its archive, with all the
//! libraries they need down to the loader, so that they run on any Linux of the same processor. Nothing is
//! installed: the system's own packages are neither asked nor changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::mariadb::{FOREIGN_FOLDER, Product, find_program};

use crate::shell;

/// Where Debian's packages are.
const ARCHIVE: &str = "http://deb.debian.org/debian";

/// The keys that sign the archive.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A release to unpack.
struct Release {
    product: Product,
    what: &'static str,
    /// Debian's name of the release that has it.
    suite: &'static str,
    packages: &'static [&'static str],
    /// Programs, by their place.
    programs: &'static [&'static str],
}

const RELEASES: [Release; 2] = [
    Release {
        product: Product::LaterMariaDb,
        what: "a later MariaDB",
        suite: "trixie",
        packages: &["mariadb-server", "mariadb-client-core"],
        programs: &["usr/sbin/mariadbd", "usr/bin/mariadb"],
    },
    Release {
        product: Product::MySql,
        what: "MySQL",
        suite: "sid",
        packages: &["mysql-server-core", "mysql-client-core"],
        programs: &["usr/sbin/mysqld", "usr/bin/mysql"],
    },
];

/// Makes sure of all releases.
pub(crate) fn install() -> Result<()> {
    let folder = shell::target_folder()?.join(FOREIGN_FOLDER);
    for release in &RELEASES {
        let Some(name) = release.product.folder_name() else {
            continue;
        };
        let root = folder.join(name);
        if !root.exists() {
            release.unpack(&root)?;
        }
    }
    Ok(())
}

impl Release {
    fn unpack(&self, root: &Path) -> Result<()> {
        for program in ["apt-get", "dpkg-deb"] {
            ensure!(
                find_program(&[program]).is_ok(),
                "{} is unpacked with {program}, which is not installed here",
                self.what
            );
        }
        // Made beside it and then renamed: what was cut short is never taken for whole.
        let partial = root.with_extension("partial");
        let work = root.with_extension("apt");
        for old in [&partial, &work] {
            if old.exists() {
                fs::remove_dir_all(old)?;
            }
        }
        fs::create_dir_all(&partial)?;
        println!("fetching {} (Debian's {})", self.what, self.suite);
        for package in self.fetch(&work)? {
            shell::run(
                Command::new("dpkg-deb")
                    .arg("--extract")
                    .arg(&package)
                    .arg(&partial),
            )?;
        }
        fs::remove_dir_all(&work)?;
        self.write_programs(&partial)?;
        fs::rename(&partial, root).with_context(|| format!("cannot make {}", root.display()))
    }

    /// The packages, with all that they depend on: of a system that has none.
    fn fetch(&self, work: &Path) -> Result<Vec<PathBuf>> {
        let archives = work.join("cache/archives");
        for folder in [work.join("lists/partial"), archives.join("partial")] {
            fs::create_dir_all(folder)?;
        }
        let sources = work.join("sources.list");
        let line = format!("deb [signed-by={KEYRING}] {ARCHIVE} {} main\n", self.suite);
        fs::write(&sources, line)?;
        let status = work.join("status");
        fs::write(&status, "")?;
        let apt = || {
            let mut apt = Command::new("apt-get");
            for (option, value) in [
                ("Dir::Etc::sourcelist", sources.display().to_string()),
                ("Dir::Etc::sourceparts", "/dev/null".to_owned()),
                ("Dir::State::status", status.display().to_string()),
                (
                    "Dir::State::lists",
                    work.join("lists").display().to_string(),
                ),
                ("Dir::Cache", work.join("cache").display().to_string()),
                ("Acquire::Languages", "none".to_owned()),
                ("APT::Install-Recommends", "false".to_owned()),
                ("APT::Sandbox::User", "root".to_owned()),
                ("Debug::NoLocking", "true".to_owned()),
            ] {
                apt.arg("-o").arg(format!("{option}={value}"));
            }
            apt.arg("-qq");
            apt
        };
        shell::run(apt().arg("update"))?;
        shell::run(
            apt()
                .args(["--yes", "--download-only", "install"])
                .args(self.packages),
        )?;
        let mut packages = Vec::new();
        for entry in fs::read_dir(&archives)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                packages.push(path);
            }
        }
        Ok(packages)
    }

    /// A small script for each program, which runs it with the libraries of its own release.
    fn write_programs(&self, root: &Path) -> Result<()> {
        let libraries = libraries(root)?;
        let bin = root.join("bin");
        fs::create_dir_all(&bin)?;
        for program in self.programs {
            let name = Path::new(program)
                .file_name()
                .context("a program without a name")?;
            let path = bin.join(name);
            let text = format!(
                "#!/bin/sh\nroot=$(cd \"$(dirname \"$0\")/..\" && pwd)\n\
                 exec \"$root/{libraries}\"/ld-linux-*.so.* --library-path \"$root/{libraries}\" \
                 \"$root/{program}\" \"$@\"\n"
            );
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}

/// The folder with the loader, below `root`.
fn libraries(root: &Path) -> Result<String> {
    for entry in fs::read_dir(root.join("usr/lib"))? {
        let folder = entry?;
        let is_loader = |name: &str| name.starts_with("ld-linux-") && name.contains(".so.");
        let holds_loader = fs::read_dir(folder.path()).is_ok_and(|files| {
            files
                .flatten()
                .any(|file| is_loader(&file.file_name().to_string_lossy()))
        });
        if holds_loader {
            return Ok(format!("usr/lib/{}", folder.file_name().to_string_lossy()));
        }
    }
    anyhow::bail!("{} has no loader", root.display())
}
