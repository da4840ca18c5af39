//! `user_mapping_file`: who clients are to servers, and what servers are answered with.
//!
//! Groups are those of this machine's own files. Where only they can tell, the answer takes a look at
//! the disk.
//!
//! Source: MaxScale manual, "MariaDB/MySQL Protocol Module", `user_mapping_file`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tidegate_accounts::{Document, Fields};
use tidegate_config::Passwords;
use tidegate_session::question::AtServers;
use tidegate_wire::SecretBytes;
use tidegate_wire::auth::Secret;
use zeroize::Zeroizing;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// What others may do with the file.
const FOR_OTHERS: u32 = 0o077;

/// A file, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    users: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    /// By the mapped name.
    credentials: BTreeMap<String, SecretBytes>,
}

/// The passwords of those that PAM maps clients to (`pam_mapped_pw_file`), by name; who is not there has none.
#[derive(Debug, Default)]
pub(crate) struct MappedPasswords(BTreeMap<String, SecretBytes>);

impl MappedPasswords {
    /// Reads a file that nobody else may read.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub(crate) fn read(path: &Path, key: &Passwords) -> Result<Self, String> {
        read_private("pam_mapped_pw_file", path, |text| Self::parse(text, key))
    }

    fn parse(text: &str, key: &Passwords) -> Result<Self, String> {
        let mut made = Self::default();
        Document::parse(text)?.each(|list, fields| {
            if list != "users_and_passwords" {
                return Err(format!("there is no list '{list}'"));
            }
            fields.only(&["user", "password"])?;
            let password = password(fields, key)?;
            made.0.insert(fields.needed("user")?, password);
            Ok(())
        })?;
        Ok(made)
    }

    /// Who somebody is to servers.
    pub(crate) fn at_servers(&self, user: &str) -> AtServers {
        AtServers {
            user: user.as_bytes().to_vec(),
            secret: Secret::of_password(self.0.get(user).cloned().unwrap_or_default()),
        }
    }
}

/// The password of an item, which may be encrypted.
fn password(fields: Fields<'_>, key: &Passwords) -> Result<SecretBytes, String> {
    let written = Zeroizing::new(fields.needed("password")?);
    let clear = key
        .clear(&written)
        .map_err(|reason| format!("a password cannot be decrypted: {reason}"))?;
    Ok(SecretBytes::new(clear.reveal().as_bytes()))
}

/// Reads a file that nobody else may read.
fn read_private<T>(
    option: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    let place = |text: String| format!("{option}: {}: {text}", path.display());
    let meta = std::fs::metadata(path).map_err(|error| place(error.to_string()))?;
    if meta.permissions().mode() & FOR_OTHERS != 0 {
        let text = "it holds passwords, and others may read or write it: chmod 600".to_owned();
        return Err(place(text));
    }
    let text = std::fs::read_to_string(path).map_err(|error| place(error.to_string()))?;
    let text = Zeroizing::new(text);
    parse(&text).map_err(place)
}

impl Mapping {
    /// Reads a file that nobody else may read.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub(crate) fn read(path: &Path, key: &Passwords) -> Result<Self, String> {
        read_private("user_mapping_file", path, |text| Self::parse(text, key))
    }

    fn parse(text: &str, key: &Passwords) -> Result<Self, String> {
        let mut made = Self::default();
        Document::parse(text)?.each(|list, fields| made.take(list, fields, key))?;
        Ok(made)
    }

    fn take(&mut self, list: &str, fields: Fields<'_>, key: &Passwords) -> Result<(), String> {
        let (own, more): (&str, &[&str]) = match list {
            "user_map" => ("original_user", &[]),
            "group_map" => ("original_group", &[]),
            "server_credentials" => ("password", &["plugin"]),
            _ => return Err(format!("there is no list '{list}'")),
        };
        fields.only(&[&["mapped_user", own], more].concat())?;
        let mapped = fields.needed("mapped_user")?;
        match list {
            "user_map" => drop(self.users.insert(fields.needed(own)?, mapped)),
            "group_map" => drop(self.groups.insert(fields.needed(own)?, mapped)),
            _ => {
                let password = password(fields, key)?;
                check_plugin(fields.text("plugin")?.as_deref().unwrap_or_default())?;
                self.credentials.insert(mapped, password);
            }
        }
        Ok(())
    }

    /// Whom a user is to servers, without a look at groups. `None`: that takes a look.
    pub(crate) fn at_once(&self, user: &str) -> Option<Option<AtServers>> {
        match self.users.get(user) {
            Some(mapped) => Some(Some(self.as_user(mapped))),
            None if self.groups.is_empty() => Some(None),
            None => None,
        }
    }

    /// The same, by the groups that the user has on this machine. Reads files.
    pub(crate) fn by_group(&self, user: &str) -> Option<AtServers> {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        self.by_group_in(user, &read(PASSWD), &read(GROUP))
    }

    fn by_group_in(&self, user: &str, passwd: &str, group: &str) -> Option<AtServers> {
        let names = groups_of(user, passwd, group);
        let mapped = names.iter().find_map(|name| self.groups.get(*name))?;
        Some(self.as_user(mapped))
    }

    fn as_user(&self, mapped: &str) -> AtServers {
        let password = self.credentials.get(mapped).cloned().unwrap_or_default();
        AtServers {
            user: mapped.as_bytes().to_vec(),
            secret: Secret::of_password(password),
        }
    }
}

/// Plugins that a password answers; which one is asked for is the server's affair.
const PLUGINS: [&str; 8] = [
    "",
    "mysql_native_password",
    "ed25519",
    "parsec",
    "caching_sha2_password",
    "mysql_clear_password",
    "pam",
    "dialog",
];

fn check_plugin(name: &str) -> Result<(), String> {
    if PLUGINS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let known = PLUGINS.iter().filter(|known| !known.is_empty());
    let known: Vec<&str> = known.copied().collect();
    Err(format!(
        "a password in 'server_credentials' is no answer for the plugin '{name}', but for {}",
        known.join(", ")
    ))
}

/// The groups of a local user, its own first.
fn groups_of<'a>(user: &str, passwd: &str, group: &'a str) -> Vec<&'a str> {
    let own = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.first() == Some(&user)).then(|| fields.get(3).copied().unwrap_or_default())
    });
    let Some(own) = own else { return Vec::new() };
    let mut first = Vec::new();
    let mut others = Vec::new();
    for line in group.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, members] = fields.as_slice() else {
            continue;
        };
        if *id == own {
            first.push(*name);
        } else if members.split(',').any(|member| member == user) {
            others.push(*name);
        }
    }
    first.extend(others);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "user_map": [{"original_user": "ann", "mapped_user": "reports"},
                     {"original_user": "self", "mapped_user": "self"}],
        "group_map": [{"original_group": "staff", "mapped_user": "staffers"}],
        "server_credentials": [{"mapped_user": "reports", "password": "s3cret", "plugin": "ed25519"}]
    }"#;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbob:x:7:70::/:/bin/sh\neve:x:8:80::/:\n";
    const GROUP: &str = "root:x:0:\nbobs:x:70:\nstaff:x:50:ann,bob\n";

    fn shown(mapped: Option<&AtServers>) -> (String, String) {
        let Some(mapped) = mapped else {
            return (String::new(), String::new());
        };
        let password = match &mapped.secret {
            Secret::Password(password) => String::from_utf8_lossy(password).into_owned(),
            _ => String::new(),
        };
        (String::from_utf8_lossy(&mapped.user).into_owned(), password)
    }

    #[test]
    fn users_are_mapped_by_name_or_by_group() {
        let mapping = Mapping::parse(FILE, &Passwords::default()).expect("valid");
        let named = |user| mapping.at_once(user).map(|mapped| shown(mapped.as_ref()));
        let both = |user: &str, password: &str| (user.to_owned(), password.to_owned());
        assert_eq!(named("ann"), Some(both("reports", "s3cret")));
        assert_eq!(named("self"), Some(both("self", "")));
        assert_eq!(named("bob"), None);
        let by_group = |user| shown(mapping.by_group_in(user, PASSWD, GROUP).as_ref());
        assert_eq!(by_group("bob"), both("staffers", ""));
        assert_eq!(by_group("eve"), both("", ""));
        assert_eq!(by_group("ann"), both("", ""), "no local user");
        let users_only =
            Mapping::parse(r#"{"user_map": []}"#, &Passwords::default()).expect("valid");
        assert!(matches!(users_only.at_once("bob"), Some(None)));
    }

    #[test]
    fn those_that_pam_maps_to_have_passwords() {
        let text = r#"{"users_and_passwords": [{"user": "ann", "password": "s3cret"}]}"#;
        let passwords = MappedPasswords::parse(text, &Passwords::default()).expect("valid");
        let both = |user: &str, password: &str| (user.to_owned(), password.to_owned());
        assert_eq!(
            shown(Some(&passwords.at_servers("ann"))),
            both("ann", "s3cret")
        );
        assert_eq!(shown(Some(&passwords.at_servers("bob"))), both("bob", ""));
        assert!(MappedPasswords::parse(r#"{"users": [{}]}"#, &Passwords::default()).is_err());
    }

    #[test]
    fn mistakes_are_named() {
        for (file, expect) in [
            ("[]", "it is no JSON object"),
            (r#"{"users": []}"#, ""),
            (r#"{"users": [{}]}"#, "there is no list 'users'"),
            (r#"{"user_map": {}}"#, "'user_map' is no list"),
            (
                r#"{"user_map": [{"original_user": "a"}]}"#,
                "'user_map' holds an object without the text 'mapped_user'",
            ),
            (
                r#"{"server_credentials": [{"mapped_user": "a", "password": "", "plugin": "gssapi"}]}"#,
                "a password in 'server_credentials' is no answer for the plugin 'gssapi', but for \
                 mysql_native_password, ed25519, parsec, caching_sha2_password, mysql_clear_password, pam, dialog",
            ),
            (
                r#"{"server_credentials": [{"mapped_user": "a", "passwd": ""}]}"#,
                "'server_credentials' has no field 'passwd'",
            ),
        ] {
            let said = Mapping::parse(file, &Passwords::default())
                .map_or_else(|error| error, |_| String::new());
            assert_eq!(said, expect, "{file}");
        }
    }

    #[test]
    fn passwords_are_not_printed() {
        let mapping = Mapping::parse(FILE, &Passwords::default()).expect("valid");
        assert!(!format!("{mapping:?}").contains("s3cret"));
    }
}
