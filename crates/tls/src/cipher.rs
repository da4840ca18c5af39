//! Cipher suites by the names that OpenSSL, and with it every MariaDB client and server, gives them.

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, SupportedCipherSuite};

use crate::problem::Problem;

/// What rustls has, and OpenSSL's names for it. The suites of TLS 1.3 have one name everywhere.
const NAMES: [(CipherSuite, &str); 9] = [
    (
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        "TLS_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        "TLS_AES_128_GCM_SHA256",
    ),
    (
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
];

/// Words of OpenSSL that stand for all suites that are left here.
const ALL: [&str; 5] = ["ALL", "DEFAULT", "COMPLEMENTOFDEFAULT", "HIGH", "SECURE"];

/// What names of suites are made of in OpenSSL. A name of such parts that is not among [`NAMES`] is
/// a suite that is not safe enough to be here.
const PARTS: [&str; 42] = [
    "3DES",
    "ADH",
    "AECDH",
    "AES",
    "AES128",
    "AES256",
    "AESCCM",
    "AESGCM",
    "ARIA128",
    "ARIA256",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "CBC",
    "CBC3",
    "CCM",
    "CCM8",
    "CHACHA20",
    "DES",
    "DH",
    "DHE",
    "DSS",
    "ECDH",
    "ECDHE",
    "ECDSA",
    "EDH",
    "GCM",
    "IDEA",
    "LOW",
    "MD5",
    "MEDIUM",
    "NULL",
    "POLY1305",
    "PSK",
    "RC4",
    "RSA",
    "SEED",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA384",
    "SRP",
];

/// Words behind `!` or `-` that exclude what is not here in any case.
const NOTHING: [&str; 10] = [
    "aNULL", "eNULL", "EXP", "EXPORT", "kRSA", "kEDH", "kDHE", "aDSS", "kECDH", "DSA",
];

/// The name of a suite as OpenSSL spells it.
#[must_use]
pub fn openssl_name(suite: CipherSuite) -> &'static str {
    let known = NAMES.iter().find(|(known, _)| *known == suite);
    known.map_or_else(|| suite.as_str().unwrap_or("unknown"), |(_, name)| name)
}

fn is_tls13(name: &str) -> bool {
    name.starts_with("TLS_")
}

/// The suites of `provider` that `ssl_cipher` allows, in its order. As with OpenSSL the list is
/// about TLS 1.2 and older; suites of TLS 1.3 are limited only if it names one of them.
///
/// # Errors
/// Words that mean nothing, or nothing left. Suites that exist elsewhere are warned of.
pub(crate) fn choose(
    provider: &CryptoProvider,
    list: &str,
    warnings: &mut Vec<Problem>,
) -> Result<Vec<SupportedCipherSuite>, Problem> {
    let mut chosen: Vec<&'static str> = Vec::new();
    let mut excluded: Vec<&str> = Vec::new();
    for word in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        match (word.strip_prefix(['!', '-']), word.strip_prefix(['+', '@'])) {
            (Some(excluding), _) => excluded.push(excluding),
            // The order and the security level are what they are.
            (None, Some(_)) => {}
            (None, None) => take(word, &mut chosen, warnings)?,
        }
    }
    for word in &excluded {
        if !NOTHING.contains(word) && !is_made_of_parts(word) && !is_known(word) {
            return Err(unknown(word));
        }
    }
    chosen.retain(|name| !excluded.iter().any(|word| covers(word, name)));
    if !chosen.iter().any(|name| is_tls13(name)) {
        let newest = NAMES
            .iter()
            .map(|(_, name)| *name)
            .filter(|name| is_tls13(name));
        let older = chosen.len();
        chosen.extend(newest.filter(|name| !excluded.contains(name)));
        if older == 0 && !list.trim().is_empty() {
            let text = format!(
                "none of these cipher suites exists here; there are {}",
                listed()
            );
            return Err(Problem::new("ssl_cipher", text));
        }
    }
    let suite = |name: &&str| {
        let (id, _) = NAMES.iter().find(|(_, known)| known == name)?;
        provider
            .cipher_suites
            .iter()
            .find(|suite| suite.suite() == *id)
            .copied()
    };
    Ok(chosen.iter().filter_map(suite).collect())
}

fn take(
    word: &str,
    chosen: &mut Vec<&'static str>,
    warnings: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let all = ALL.contains(&word);
    let before = chosen.len();
    for (_, name) in NAMES {
        let meant = name == word || all && !is_tls13(name) || !is_tls13(name) && covers(word, name);
        if meant && !chosen.contains(&name) {
            chosen.push(name);
        }
    }
    if all || chosen.len() > before || is_known(word) {
        return Ok(());
    }
    if !is_made_of_parts(word) {
        return Err(unknown(word));
    }
    let text = format!(
        "'{word}' is not supported and left out; there are {}",
        listed()
    );
    warnings.push(Problem::new("ssl_cipher", text));
    Ok(())
}

/// Does a word of OpenSSL, a suite or a class of them, stand for this suite?
fn covers(word: &str, name: &str) -> bool {
    if word == name {
        return true;
    }
    let is_class = |part: &str| match part {
        "kECDHE" | "kEECDH" | "EECDH" => name.starts_with("ECDHE"),
        "aRSA" => name.contains("-RSA-"),
        "aECDSA" => name.contains("-ECDSA-"),
        "AESGCM" => name.contains("AES") && name.contains("GCM"),
        "AES" => name.contains("AES"),
        part => name.split('-').any(|piece| piece == part),
    };
    word.split('+').all(is_class)
}

fn is_known(word: &str) -> bool {
    NAMES.iter().any(|(_, name)| covers(word, name))
}

fn is_made_of_parts(word: &str) -> bool {
    word.split(['-', '+'])
        .all(|part| PARTS.contains(&part) || NOTHING.contains(&part))
}

fn unknown(word: &str) -> Problem {
    let text = format!("'{word}' is no cipher suite; there are {}", listed());
    Problem::new("ssl_cipher", text)
}

fn listed() -> String {
    NAMES.map(|(_, name)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, expect: Result<&[&str], &str>) {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let mut warnings = Vec::new();
        match (choose(&provider, list, &mut warnings), expect) {
            (Ok(suites), Ok(expect)) => {
                let names: Vec<&str> = suites
                    .iter()
                    .map(|suite| openssl_name(suite.suite()))
                    .collect();
                assert_eq!(names, expect, "{list}");
            }
            (Err(problem), Err(expect)) => {
                assert!(problem.to_string().contains(expect), "{problem}")
            }
            (got, _) => panic!("{list}: {got:?}"),
        }
    }

    const NEWEST: [&str; 3] = [
        "TLS_AES_256_GCM_SHA384",
        "TLS_AES_128_GCM_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
    ];

    #[test]
    fn suites_are_chosen_by_openssl_names() {
        let with = |older: &[&'static str]| [older, &NEWEST].concat();
        check(
            "ECDHE-RSA-AES128-GCM-SHA256",
            Ok(&with(&["ECDHE-RSA-AES128-GCM-SHA256"])),
        );
        check(
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
            Ok(&with(&[
                "ECDHE-RSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
            ])),
        );
        check("TLS_AES_128_GCM_SHA256", Ok(&["TLS_AES_128_GCM_SHA256"]));
        check(
            "EECDH+AESGCM:EDH+AESGCM:!aNULL:!ECDSA",
            Ok(&with(&[
                "ECDHE-RSA-AES256-GCM-SHA384",
                "ECDHE-RSA-AES128-GCM-SHA256",
            ])),
        );
        check(
            "HIGH:!AES:!TLS_AES_256_GCM_SHA384:!TLS_AES_128_GCM_SHA256:@SECLEVEL=2",
            Ok(&[
                "ECDHE-ECDSA-CHACHA20-POLY1305",
                "ECDHE-RSA-CHACHA20-POLY1305",
                "TLS_CHACHA20_POLY1305_SHA256",
            ]),
        );
    }

    #[test]
    fn what_is_unknown_is_an_error_and_what_is_old_a_warning() {
        check(
            "ECDHE-RSA-AES128-GMC-SHA256",
            Err("'ECDHE-RSA-AES128-GMC-SHA256' is no cipher suite"),
        );
        check("HIGH:!wrong", Err("'wrong'"));
        check("DHE-RSA-AES256-SHA", Err("none of these cipher suites"));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let mut warnings = Vec::new();
        choose(
            &provider,
            "AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256",
            &mut warnings,
        )
        .unwrap();
        assert!(
            warnings[0]
                .to_string()
                .contains("'AES256-SHA' is not supported"),
            "{warnings:?}"
        );
    }

    #[test]
    fn every_suite_of_the_library_has_a_name() {
        for suite in rustls::crypto::aws_lc_rs::default_provider().cipher_suites {
            assert!(
                NAMES.iter().any(|(id, _)| *id == suite.suite()),
                "{suite:?}"
            );
        }
    }
}
