//! How accounts' methods become dialogues with clients: what a listener has enabled, and what is
//! asked of clients that name no account.
//!
//! The invariant: whoever names no account sees the packets of some account, always the same, and no
//! answer of theirs is right.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tidegate_proofs::{ed25519_public_key, stored};
use tidegate_wire::auth::native::NativeHash;
use tidegate_wire::auth::{Asking, Method as Dialogue, ParsecKey, PasswordCheck};

use crate::account::{AccountRow, Method, NATIVE_PLUGIN};
use crate::snapshot::Accounts;

/// How many accounts are looked through for one that a client without account can be asked like.
const DECOY_TRIES: usize = 16;

/// The login service that an account of `pam` is left to; one that is named nowhere is `mysql`.
fn pam_service(stored: &str) -> Option<&str> {
    let service = if stored.is_empty() { "mysql" } else { stored };
    // A name, and no way to a file somewhere else.
    (!service.contains('/') && !service.starts_with('.')).then_some(service)
}

/// What a listener has enabled.
#[derive(Clone, PartialEq, Eq)]
pub struct Ways {
    /// `mysql_native_password`.
    pub native: bool,
    /// `caching_sha2_password`.
    pub sha2: Option<Sealing>,
    /// `ed25519`.
    pub ed25519: Option<Ed25519Way>,
    /// `parsec`.
    pub parsec: bool,
    /// `pam`: how clients are asked.
    pub pam: Option<Asking>,
    /// Passwords that clients hand over are not checked: the servers will (`skip_authentication`).
    pub unchecked: bool,
    /// What clients are asked with that name no account.
    pub decoys: Decoys,
}

/// What decoys are chosen and made with.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoys {
    seed: [u8; 32],
    /// A public key that nobody has the other one of.
    key: [u8; 32],
}

impl Decoys {
    /// From random bytes, which make them different at each start.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            key: ed25519_public_key(&seed),
        }
    }
}

/// How a password gets here over a connection that others can read: the RSA key (PEM) that it is
/// sealed with, or not at all.
pub type Sealing = Option<Arc<[u8]>>;

/// How accounts with `ed25519` prove themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ed25519Way {
    /// The client signs.
    Sign,
    /// The client hands over its password.
    Password(Sealing),
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ways")
            .field("native", &self.native)
            .field("sha2", &self.sha2.is_some())
            .field("ed25519", &self.ed25519.is_some())
            .field("parsec", &self.parsec)
            .finish_non_exhaustive()
    }
}

/// What becomes of a method here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It can be used so.
    Dialogue(Dialogue),
    /// Its plugin is not enabled.
    NotEnabled,
    /// What the account stores for it cannot be matched by anything.
    Unusable,
}

impl Ways {
    /// `mysql_native_password` alone.
    #[must_use]
    pub fn native() -> Self {
        Self {
            native: true,
            sha2: None,
            ed25519: None,
            parsec: false,
            pam: None,
            unchecked: false,
            decoys: Decoys::new([0; 32]),
        }
    }

    pub(crate) fn of_method(&self, method: &Method) -> Use {
        let is = |plugin: &str| method.plugin().eq_ignore_ascii_case(plugin);
        let text = method.stored();
        let dialogue = if is(NATIVE_PLUGIN) && self.native {
            NativeHash::parse(text.as_bytes()).map(Dialogue::Native)
        } else if is("caching_sha2_password")
            && let Some(key) = &self.sha2
        {
            stored::is_sha2(text.as_bytes()).then(|| Dialogue::Password {
                asking: Asking::Sha2 { key: key.clone() },
                check: self.check(PasswordCheck::Sha2(text.as_bytes().into())),
            })
        } else if is("ed25519")
            && let Some(way) = &self.ed25519
        {
            stored::ed25519(text).map(|key| match way {
                Ed25519Way::Sign => Dialogue::Ed25519(key),
                Ed25519Way::Password(sealing) => Dialogue::Password {
                    asking: Asking::Sha2 {
                        key: sealing.clone(),
                    },
                    check: self.check(PasswordCheck::Ed25519(key)),
                },
            })
        } else if is("parsec") && self.parsec {
            stored::parsec(text).map(Dialogue::Parsec)
        } else if is("pam")
            && let Some(asking) = &self.pam
        {
            pam_service(text).map(|service| Dialogue::Password {
                asking: asking.clone(),
                check: self.check(PasswordCheck::Pam(service.into())),
            })
        } else {
            return Use::NotEnabled;
        };
        dialogue.map_or(Use::Unusable, Use::Dialogue)
    }

    fn check(&self, stored: PasswordCheck) -> PasswordCheck {
        if self.unchecked {
            PasswordCheck::AtServers
        } else {
            stored
        }
    }

    /// The methods of an account that can be used here, in its order.
    pub(crate) fn of_account(&self, row: &AccountRow) -> Vec<Dialogue> {
        let uses = row.methods.iter().map(|method| self.of_method(method));
        uses.filter_map(|found| match found {
            Use::Dialogue(dialogue) => Some(dialogue),
            Use::NotEnabled | Use::Unusable => None,
        })
        .collect()
    }

    /// What a client is asked that names no account: what some account of these is asked.
    pub(crate) fn decoy(&self, accounts: &Accounts, user: &[u8]) -> Vec<Dialogue> {
        let chosen = self.hash(user);
        let [a, b, c, d, ..] = chosen;
        let start = u32::from_le_bytes([a, b, c, d]) as usize;
        let rows = accounts.rows();
        let like = (0..rows.len().min(DECOY_TRIES)).find_map(|step| {
            let row = rows.get((start + step) % rows.len())?;
            Some(self.of_account(row)).filter(|methods| !methods.is_empty())
        });
        let like = like.unwrap_or_else(|| vec![Dialogue::Native(NativeHash::UNKNOWN_USER)]);
        like.into_iter()
            .map(|dialogue| self.disarm(dialogue, &chosen))
            .collect()
    }

    /// The same dialogue with something that nobody knows.
    fn disarm(&self, dialogue: Dialogue, chosen: &[u8; 32]) -> Dialogue {
        let key = self.decoys.key;
        match dialogue {
            Dialogue::Native(_) => Dialogue::Native(NativeHash::UNKNOWN_USER),
            Dialogue::Ed25519(_) => Dialogue::Ed25519(key),
            Dialogue::Parsec(like) => {
                let bytes = chosen.iter().copied().cycle();
                Dialogue::Parsec(ParsecKey {
                    salt: bytes.take(like.salt.len()).collect(),
                    key,
                    ..like
                })
            }
            Dialogue::Password { asking, check } => Dialogue::Password {
                asking,
                check: match check {
                    PasswordCheck::Ed25519(_) => PasswordCheck::Ed25519(key),
                    PasswordCheck::Sha2(_)
                    | PasswordCheck::Pam(_)
                    | PasswordCheck::AtServers
                    | PasswordCheck::Nobody => PasswordCheck::Nobody,
                },
            },
        }
    }

    fn hash(&self, user: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.decoys.seed)
            .chain_update(user)
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Tables;

    const KEY: &str = "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";

    fn all() -> Ways {
        Ways {
            native: true,
            sha2: Some(None),
            ed25519: Some(Ed25519Way::Sign),
            parsec: true,
            pam: None,
            unchecked: false,
            decoys: Decoys::new([3; 32]),
        }
    }

    fn row(user: &str, methods: Vec<Method>) -> AccountRow {
        AccountRow {
            user: user.to_owned(),
            host: "%".to_owned(),
            methods,
            ..AccountRow::default()
        }
    }

    #[test]
    fn only_what_is_enabled_and_makes_sense_is_used() {
        let native = Method::new("", "*54958E764CE10E50764C2EECBB71D01F08549980");
        let signing = Method::new("ed25519", KEY);
        let plugins = |ways: &Ways, methods: &[&Method]| -> Vec<&'static [u8]> {
            let methods = methods.iter().map(|method| (*method).clone()).collect();
            let dialogues = ways.of_account(&row("u", methods));
            dialogues.iter().map(Dialogue::plugin).collect()
        };
        let both = [&signing, &native];
        let expect: [&[u8]; 2] = [b"client_ed25519", b"mysql_native_password"];
        assert_eq!(plugins(&all(), &both), expect);
        assert_eq!(plugins(&Ways::native(), &both), expect[1..]);
        let password = Ways {
            ed25519: Some(Ed25519Way::Password(None)),
            ..all()
        };
        let asked: [&[u8]; 1] = [b"caching_sha2_password"];
        assert_eq!(plugins(&password, &[&signing]), asked);
        for (plugin, stored) in [
            ("", "446a12100c856ce9"),
            ("", "invalid"),
            ("ed25519", "x"),
            ("parsec", "P1:x"),
            (
                "caching_sha2_password",
                "*54958E764CE10E50764C2EECBB71D01F08549980",
            ),
        ] {
            let unusable = all().of_method(&Method::new(plugin, stored));
            assert_eq!(unusable, Use::Unusable, "{plugin} {stored}");
        }
        assert_eq!(all().of_method(&Method::new("pam", "")), Use::NotEnabled);
    }

    #[test]
    fn whoever_names_no_account_is_asked_like_others_and_always_the_same() {
        let accounts = Accounts::new(Tables {
            accounts: vec![
                row("a", vec![Method::new("ed25519", KEY)]),
                row("b", vec![Method::new("", "")]),
                row("c", vec![Method::new("pam", "")]),
                row(
                    "d",
                    vec![Method::new("parsec", &format!("P1:AAAABBBB:{KEY}"))],
                ),
            ],
            ..Tables::default()
        });
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..100 {
            let user = format!("user{number}");
            let decoy = all().decoy(&accounts, user.as_bytes());
            assert_eq!(decoy, all().decoy(&accounts, user.as_bytes()));
            for dialogue in &decoy {
                seen.insert(dialogue.plugin());
                match dialogue {
                    Dialogue::Native(hash) => assert_eq!(*hash, NativeHash::UNKNOWN_USER),
                    Dialogue::Ed25519(key) => assert_ne!(Some(*key), stored::ed25519(KEY)),
                    Dialogue::Parsec(key) => assert_eq!((key.factor, key.salt.len()), (1, 6)),
                    Dialogue::Password { .. } => panic!("{dialogue:?}"),
                }
            }
        }
        assert_eq!(seen.len(), 3);
        let nobody = all().decoy(&Accounts::default(), b"u");
        assert_eq!(nobody, [Dialogue::Native(NativeHash::UNKNOWN_USER)]);
    }

    #[test]
    fn login_services_have_names() {
        let ways = Ways {
            pam: Some(Asking::Clear),
            ..all()
        };
        let service = |stored: &str| match ways.of_method(&Method::new("pam", stored)) {
            Use::Dialogue(Dialogue::Password {
                asking: Asking::Clear,
                check: PasswordCheck::Pam(service),
            }) => Some(service.to_string()),
            Use::Unusable => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(service("").as_deref(), Some("mysql"));
        assert_eq!(service("ldap-login").as_deref(), Some("ldap-login"));
        assert_eq!(service("../shadow"), None);
        assert_eq!(service("/tmp/mine"), None);
    }

    #[test]
    fn servers_are_left_the_check_but_nobody_is_let_in_that_names_no_account() {
        let ways = Ways {
            unchecked: true,
            ed25519: Some(Ed25519Way::Password(None)),
            ..all()
        };
        let accounts = Accounts::new(Tables {
            accounts: vec![row("u", vec![Method::new("ed25519", KEY)])],
            ..Tables::default()
        });
        let checks = |dialogues: Vec<Dialogue>| -> Vec<PasswordCheck> {
            let check = |dialogue| match dialogue {
                Dialogue::Password { check, .. } => Some(check),
                _ => None,
            };
            dialogues.into_iter().filter_map(check).collect()
        };
        let real = ways.of_account(&accounts.rows()[0]);
        assert_eq!(checks(real), [PasswordCheck::AtServers]);
        let decoy = ways.decoy(&accounts, b"nobody");
        assert_eq!(checks(decoy), [PasswordCheck::Nobody]);
    }
}
