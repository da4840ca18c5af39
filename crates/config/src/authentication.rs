//! `authenticator` and `authenticator_options` of a listener, taken apart.
//!
//! Left out: the files that options name; whoever uses them reads them.

use std::path::PathBuf;

use crate::params::ListenerParams;
use crate::suggest::nearest;

/// A module that lets clients prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authenticator {
    /// Accounts with `mysql_native_password`.
    MariaDb,
    /// Accounts with `caching_sha2_password`.
    Sha2,
    /// Accounts with `ed25519`.
    Ed25519,
    /// Accounts with `parsec`.
    Parsec,
    /// Accounts with `pam`.
    Pam,
}

/// Names of modules, the first of each as it is written most; case does not count.
const NAMES: [(&str, Authenticator); 12] = [
    ("MariaDBAuth", Authenticator::MariaDb),
    ("MySQLAuth", Authenticator::MariaDb),
    ("mysql_native_password", Authenticator::MariaDb),
    ("Sha2Auth", Authenticator::Sha2),
    ("caching_sha2_password", Authenticator::Sha2),
    ("Ed25519Auth", Authenticator::Ed25519),
    ("ed25519", Authenticator::Ed25519),
    ("client_ed25519", Authenticator::Ed25519),
    ("ParsecAuth", Authenticator::Parsec),
    ("parsec", Authenticator::Parsec),
    ("PAMAuth", Authenticator::Pam),
    ("pam", Authenticator::Pam),
];

/// Modules of MaxScale that are not built.
const NOT_BUILT: [&str; 2] = ["GSSAPIAuth", "gssapi"];

/// An option: its name, the module it belongs to, and whether it is ignored.
struct OptionName {
    name: &'static str,
    of: Option<Authenticator>,
    ignored: bool,
}

const fn option(name: &'static str, of: Option<Authenticator>, ignored: bool) -> OptionName {
    OptionName { name, of, ignored }
}

const OPTIONS: [OptionName; 17] = [
    option("skip_authentication", None, false),
    option("match_host", None, false),
    option("lower_case_table_names", None, false),
    option("cache_dir", None, true),
    option("inject_service_user", None, true),
    option("clear_pw_passthrough", Some(Authenticator::MariaDb), false),
    option("log_password_mismatch", Some(Authenticator::MariaDb), false),
    option("sha2_rsa_privkey_path", Some(Authenticator::Sha2), false),
    option("sha2_rsa_pubkey_path", Some(Authenticator::Sha2), false),
    option("ed_mode", Some(Authenticator::Ed25519), false),
    option("ed_rsa_privkey_path", Some(Authenticator::Ed25519), false),
    option("ed_rsa_pubkey_path", Some(Authenticator::Ed25519), false),
    option("pam_use_cleartext_plugin", Some(Authenticator::Pam), false),
    option("pam_mode", Some(Authenticator::Pam), false),
    option("pam_backend_mapping", Some(Authenticator::Pam), false),
    option("pam_mapped_pw_file", Some(Authenticator::Pam), false),
    option("pam_helper_socket", Some(Authenticator::Pam), false),
];

/// What clients of accounts with `pam` are asked, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PamMode {
    /// The password.
    #[default]
    Password,
    /// The password, and a code that is valid for a while.
    TwoFactors,
    /// The password, by a program with the rights of its file's owner.
    Suid,
}

/// The options of PAM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PamOptions {
    /// Clients are asked by `mysql_clear_password`, not by `dialog`.
    pub clear: bool,
    /// What they are asked.
    pub mode: PamMode,
    /// To servers they are whom PAM knows them as, with a native password.
    pub mapped: bool,
    /// The file with those passwords; without it they are empty.
    pub passwords: Option<PathBuf>,
    /// Where processes with other rights are reached that ask PAM.
    pub socket: Option<PathBuf>,
}

/// How accounts with `ed25519` prove themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EdMode {
    /// The client signs.
    #[default]
    Ed25519,
    /// The client hands its password over, by `caching_sha2_password`.
    Sha256,
}

/// Files with an RSA key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RsaFiles {
    /// The private key (PEM).
    pub private: Option<PathBuf>,
    /// The public key (PEM), which must belong to it.
    pub public: Option<PathBuf>,
}

/// How clients of a listener prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The modules, at least one; the first one's plugin is greeted with.
    pub authenticators: Vec<Authenticator>,
    /// Must the client's address match the account's?
    pub match_host: bool,
    /// How database names are compared at the login: 0, 1 or 2.
    pub lower_case_table_names: u8,
    /// Passwords that clients hand over are not checked: the servers will.
    pub skip: bool,
    /// No account is looked at: the client's password is tried on a server (`clear_pw_passthrough`).
    pub servers_decide: bool,
    /// The log shows how the hash of a wrong password differs (`log_password_mismatch`).
    pub tells_mismatch: bool,
    /// How accounts with `ed25519` prove themselves.
    pub ed_mode: EdMode,
    /// The key for passwords of accounts with `ed25519`.
    pub ed_rsa: RsaFiles,
    /// The key for passwords of accounts with `caching_sha2_password`.
    pub sha2_rsa: RsaFiles,
    /// How accounts with `pam` prove themselves.
    pub pam: PamOptions,
}

impl Default for Authentication {
    fn default() -> Self {
        Self {
            authenticators: vec![Authenticator::MariaDb],
            match_host: true,
            lower_case_table_names: 0,
            skip: false,
            servers_decide: false,
            tells_mismatch: false,
            ed_mode: EdMode::Ed25519,
            ed_rsa: RsaFiles::default(),
            sha2_rsa: RsaFiles::default(),
            pam: PamOptions::default(),
        }
    }
}

impl Authentication {
    /// Is this module enabled?
    #[must_use]
    pub fn has(&self, authenticator: Authenticator) -> bool {
        self.authenticators.contains(&authenticator)
    }

    /// What a listener's parameters say.
    ///
    /// # Errors
    /// All that is wrong, each with its parameter.
    pub fn of(params: &ListenerParams) -> Result<Self, Vec<(&'static str, String)>> {
        let mut made = Self::default();
        let mut errors = Vec::new();
        match authenticators(params.authenticator.as_deref().unwrap_or_default()) {
            Ok(found) => made.authenticators = found,
            Err(error) => errors.push(("authenticator", error)),
        }
        let options = params.authenticator_options.as_deref().unwrap_or_default();
        let pieces = options
            .split(',')
            .map(str::trim)
            .filter(|piece| !piece.is_empty());
        for piece in pieces {
            if let Err(error) = made.take(piece) {
                errors.push(("authenticator_options", error));
            }
        }
        for error in [made.clash(params), made.clash_of_pam(params)] {
            errors.extend(error.map(|error| ("authenticator_options", error)));
        }
        if errors.is_empty() {
            Ok(made)
        } else {
            Err(errors)
        }
    }

    /// What PAM's options say against each other, or against another parameter.
    fn clash_of_pam(&self, params: &ListenerParams) -> Option<String> {
        let pam = &self.pam;
        let text = if pam.clear && pam.mode == PamMode::TwoFactors {
            "pam_mode=password_2FA needs a second question, which pam_use_cleartext_plugin has no room for"
        } else if pam.passwords.is_some() && !pam.mapped {
            "pam_mapped_pw_file holds passwords of those that PAM maps to; set pam_backend_mapping=mariadb as well"
        } else if pam.mapped && params.user_mapping_file.is_some() {
            "pam_backend_mapping and user_mapping_file both say who clients are to servers; use one of them"
        } else {
            return None;
        };
        Some(text.to_owned())
    }

    /// What else the listener has that does not go with leaving passwords to servers.
    fn clash(&self, params: &ListenerParams) -> Option<String> {
        let name = match (self.servers_decide, self.skip) {
            (true, _) => "clear_pw_passthrough",
            (false, true) => "skip_authentication",
            (false, false) => return None,
        };
        if params.user_mapping_file.is_some() {
            return Some(format!(
                "{name} leaves the client's password to the servers, which with user_mapping_file never see it; anybody would be let in"
            ));
        }
        if !self.servers_decide {
            return None;
        }
        if self.authenticators.len() > 1 {
            return Some(format!(
                "{name} asks every client for its password; no other authenticator than MariaDBAuth can be enabled with it"
            ));
        }
        (!params.tls.ssl && params.socket.is_none()).then(|| {
            format!("{name} has passwords sent as they are; set ssl=true, or use a UNIX socket")
        })
    }

    fn take(&mut self, piece: &str) -> Result<(), String> {
        let (name, value) = piece
            .split_once('=')
            .ok_or_else(|| format!("'{piece}' is not of the form name=value"))?;
        let (name, value) = (name.trim(), value.trim());
        let Some(known) = OPTIONS.iter().find(|option| option.name == name) else {
            let names = OPTIONS.iter().map(|option| option.name);
            let hint = nearest(name, names).map_or_else(String::new, |nearest| {
                format!("; did you mean '{nearest}'?")
            });
            return Err(format!("there is no option '{name}'{hint}"));
        };
        if known.ignored {
            return Ok(());
        }
        if let Some(owner) = known.of
            && !self.has(owner)
        {
            let owner = NAMES.iter().find(|(_, module)| *module == owner);
            let owner = owner.map_or("", |(name, _)| name);
            return Err(format!(
                "'{name}' is an option of {owner}, which is not enabled"
            ));
        }
        self.set(name, value)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let path = || Some(PathBuf::from(value)).filter(|path| !path.as_os_str().is_empty());
        match name {
            "match_host" => self.match_host = boolean(name, value)?,
            "lower_case_table_names" => {
                self.lower_case_table_names = match value {
                    "0" | "false" => 0,
                    "1" | "true" => 1,
                    "2" => 2,
                    _ => return Err(format!("{name} may be 0, 1 or 2, not '{value}'")),
                }
            }
            "ed_mode" => {
                self.ed_mode = match value {
                    "ed25519" => EdMode::Ed25519,
                    "sha256" => EdMode::Sha256,
                    _ => return Err(format!("{name} may be ed25519 or sha256, not '{value}'")),
                }
            }
            "pam_mode" => {
                self.pam.mode = match value {
                    "password" => PamMode::Password,
                    "password_2FA" => PamMode::TwoFactors,
                    "suid" => PamMode::Suid,
                    _ => {
                        return Err(format!(
                            "{name} may be password, password_2FA or suid, not '{value}'"
                        ));
                    }
                }
            }
            "pam_backend_mapping" => {
                self.pam.mapped = match value {
                    "none" => false,
                    "mariadb" => true,
                    _ => return Err(format!("{name} may be none or mariadb, not '{value}'")),
                }
            }
            "pam_mapped_pw_file" => self.pam.passwords = path(),
            "pam_helper_socket" => self.pam.socket = path(),
            "ed_rsa_privkey_path" => self.ed_rsa.private = path(),
            "ed_rsa_pubkey_path" => self.ed_rsa.public = path(),
            "sha2_rsa_privkey_path" => self.sha2_rsa.private = path(),
            "sha2_rsa_pubkey_path" => self.sha2_rsa.public = path(),
            _ if !boolean(name, value)? => {}
            "skip_authentication" if self.has(Authenticator::MariaDb) => {
                return Err(
                    "skip_authentication leaves nothing to answer servers with that want mysql_native_password; MariaDBAuth cannot be enabled with it"
                        .to_owned(),
                );
            }
            "skip_authentication" => self.skip = true,
            "pam_use_cleartext_plugin" => self.pam.clear = true,
            "clear_pw_passthrough" => self.servers_decide = true,
            "log_password_mismatch" => self.tells_mismatch = true,
            _ => return Err(format!("there is no option '{name}'")),
        }
        Ok(())
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{name} may be true or false, not '{value}'")),
    }
}

/// The modules of a list; an empty one is the default.
fn authenticators(list: &str) -> Result<Vec<Authenticator>, String> {
    let mut found = Vec::new();
    let names = list.split(',').map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        if NOT_BUILT.into_iter().any(same) {
            return Err(format!("'{name}' is not yet supported"));
        }
        let Some((_, module)) = NAMES.into_iter().find(|(known, _)| same(known)) else {
            let known = NAMES.iter().map(|(name, _)| *name);
            let hint = nearest(name, known).map_or_else(String::new, |nearest| {
                format!("; did you mean '{nearest}'?")
            });
            return Err(format!("there is no authenticator '{name}'{hint}"));
        };
        if !found.contains(&module) {
            found.push(module);
        }
    }
    if found.is_empty() {
        found.push(Authenticator::MariaDb);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(authenticator: &str, options: &str) -> Result<Authentication, String> {
        let params = ListenerParams {
            authenticator: Some(authenticator.to_owned()),
            authenticator_options: Some(options.to_owned()),
            ..ListenerParams::default()
        };
        Authentication::of(&params).map_err(|errors| {
            let texts: Vec<String> = errors
                .into_iter()
                .map(|(name, text)| format!("{name}: {text}"))
                .collect();
            texts.join("\n")
        })
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(of("", ""), Ok(Authentication::default()));
        let both = of(
            "ed25519auth, MariaDBAuth,mysqlauth",
            " ed_mode = sha256 , cache_dir=/x",
        )
        .expect("valid");
        let expect = [Authenticator::Ed25519, Authenticator::MariaDb];
        assert_eq!(both.authenticators, expect);
        assert_eq!(both.ed_mode, EdMode::Sha256);
        let options = "match_host=false,lower_case_table_names=1,log_password_mismatch=false";
        let made = of("", options).expect("valid");
        assert!(!made.match_host);
        let made = of(
            "pam",
            "pam_mode=suid, pam_backend_mapping=mariadb,pam_mapped_pw_file=/p,pam_helper_socket=/s",
        );
        let pam = made.expect("valid").pam;
        assert_eq!(
            (pam.mode, pam.mapped, pam.clear),
            (PamMode::Suid, true, false)
        );
        let files = [Some("/p".into()), Some("/s".into())];
        assert_eq!([pam.passwords, pam.socket], files);
        let made = of("", options).expect("valid");
        assert_eq!(made.lower_case_table_names, 1);
    }

    #[test]
    fn mistakes_are_named() {
        for (authenticator, options, expect) in [
            (
                "GSSAPIAuth",
                "",
                "authenticator: 'GSSAPIAuth' is not yet supported",
            ),
            (
                "PAMAuth",
                "pam_mode=2FA",
                "authenticator_options: pam_mode may be password, password_2FA or suid, not '2FA'",
            ),
            (
                "PAMAuth",
                "pam_mode=password_2FA,pam_use_cleartext_plugin=true",
                "authenticator_options: pam_mode=password_2FA needs a second question, which pam_use_cleartext_plugin has no room for",
            ),
            (
                "PAMAuth",
                "pam_mapped_pw_file=/x",
                "authenticator_options: pam_mapped_pw_file holds passwords of those that PAM maps to; set pam_backend_mapping=mariadb as well",
            ),
            (
                "Ed25519Aut",
                "",
                "authenticator: there is no authenticator 'Ed25519Aut'; did you mean 'Ed25519Auth'?",
            ),
            (
                "",
                "match_hosts=false",
                "authenticator_options: there is no option 'match_hosts'; did you mean 'match_host'?",
            ),
            (
                "",
                "ed_mode=sha256",
                "authenticator_options: 'ed_mode' is an option of Ed25519Auth, which is not enabled",
            ),
            (
                "ed25519",
                "ed_mode=x",
                "authenticator_options: ed_mode may be ed25519 or sha256, not 'x'",
            ),
            (
                "",
                "match_host",
                "authenticator_options: 'match_host' is not of the form name=value",
            ),
            (
                "",
                "clear_pw_passthrough=true",
                "authenticator_options: clear_pw_passthrough has passwords sent as they are; set ssl=true, or use a UNIX socket",
            ),
            (
                "MariaDBAuth,Ed25519Auth",
                "clear_pw_passthrough=true",
                "authenticator_options: clear_pw_passthrough asks every client for its password; no other authenticator than MariaDBAuth can be enabled with it",
            ),
        ] {
            assert_eq!(of(authenticator, options), Err(expect.to_owned()));
        }
        assert!(of("", "skip_authentication=true").is_err());
        assert!(of("", "skip_authentication=false").is_ok());
        assert!(of("ed25519", "skip_authentication=true").is_ok_and(|made| made.skip));
        assert!(of("", "log_password_mismatch=true").is_ok_and(|made| made.tells_mismatch));
    }

    #[test]
    fn passwords_are_left_to_servers_that_see_them() {
        let mut params = ListenerParams {
            authenticator: Some("ed25519".to_owned()),
            authenticator_options: Some("skip_authentication=true".to_owned()),
            user_mapping_file: Some("/mapping.json".into()),
            ..ListenerParams::default()
        };
        assert!(Authentication::of(&params).is_err(), "servers see another");
        params.user_mapping_file = None;
        params.authenticator = None;
        params.socket = Some("/socket".to_owned());
        params.authenticator_options = Some("clear_pw_passthrough=true".to_owned());
        assert!(Authentication::of(&params).is_ok_and(|made| made.servers_decide));
    }
}
