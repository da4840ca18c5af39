//! What a certificate says of itself, as far as people and accounts ask.
//!
//! Left out: whether any of it is true, which is [`verify`](crate::verify)'s.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use crate::der::{Der, tag};

/// A certificate's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// `/C=FI/O=Example/CN=db`: as OpenSSL's one-line form, which `REQUIRE SUBJECT` compares with.
    pub subject: String,
    /// The same of who signed it: `REQUIRE ISSUER`.
    pub issuer: String,
    /// Seconds since 1970 before which it does not count.
    pub not_before: i64,
    /// Seconds since 1970 after which it does not count any more.
    pub not_after: i64,
    /// The last common name of the subject.
    pub common_name: Option<String>,
    /// It lists names or addresses, so that the common name does not count.
    pub has_alternative_names: bool,
    /// X.509 version 1 has no extensions, and is not accepted where certificates are verified.
    pub is_version_1: bool,
    /// What its key may be used for; `None`: anything.
    pub usages: Option<Vec<Usage>>,
    /// SubjectPublicKeyInfo, as DER.
    pub public_key: Vec<u8>,
}

/// A purpose of the extended key usage extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// `serverAuth`.
    Server,
    /// `clientAuth`.
    Client,
    /// Whatever there is.
    Any,
    /// Something that has to do with other protocols.
    Other,
}

/// The SHA-256 fingerprint by which people and clients tell certificates apart.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let mut print = [0; 32];
    print.copy_from_slice(digest(&SHA256, certificate).as_ref());
    print
}

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// Object identifiers that have a short name in OpenSSL's one-line form. Source: RFC 4519 and
/// OpenSSL's manual, `X509_NAME_oneline`.
const SHORT_NAMES: [(&[u8], &str); 15] = [
    (COMMON_NAME, "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 42], "GN"),
    (&[0x55, 4, 43], "initials"),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
        "emailAddress",
    ),
    (&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

impl Certificate {
    /// Reads a DER certificate; `None`: it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Certificate> {
        let mut body = Der::new(der).inside(tag::SEQUENCE)?.inside(tag::SEQUENCE)?;
        let version = body.take_if(0xa0);
        body.take(tag::INTEGER)?;
        body.take(tag::SEQUENCE)?;
        let issuer = body.inside(tag::SEQUENCE)?;
        let mut validity = body.inside(tag::SEQUENCE)?;
        let subject = body.inside(tag::SEQUENCE)?;
        let public_key = body.whole()?.to_vec();
        let mut extensions = Extensions::default();
        while let Some((tag, contents)) = body.next() {
            if tag == 0xa3 {
                extensions = Extensions::read(Der::new(contents))?;
            }
        }
        Some(Certificate {
            subject: one_line(subject)?,
            issuer: one_line(issuer)?,
            not_before: time(&mut validity)?,
            not_after: time(&mut validity)?,
            common_name: common_name(subject)?,
            has_alternative_names: extensions.has_alternative_names,
            is_version_1: version.is_none(),
            usages: extensions.usages,
            public_key,
        })
    }

    /// May it be used for this?
    #[must_use]
    pub fn allows(&self, usage: Usage) -> bool {
        self.usages
            .as_ref()
            .is_none_or(|usages| usages.contains(&usage) || usages.contains(&Usage::Any))
    }

    /// Is `host`, as it stands in a configuration, the common name of a certificate that lists no
    /// other names? A first label `*` stands for any.
    pub(crate) fn is_named(&self, host: &str) -> bool {
        let Some(name) = self
            .common_name
            .as_deref()
            .filter(|_| !self.has_alternative_names)
        else {
            return false;
        };
        let covers = |wild: &str| {
            let rest = host.split_once('.').map_or("", |(_, rest)| rest);
            host.parse::<std::net::IpAddr>().is_err()
                && rest.contains('.')
                && rest.eq_ignore_ascii_case(wild)
        };
        name.eq_ignore_ascii_case(host) || name.strip_prefix("*.").is_some_and(covers)
    }
}

#[derive(Default)]
struct Extensions {
    has_alternative_names: bool,
    usages: Option<Vec<Usage>>,
}

impl Extensions {
    fn read(mut der: Der<'_>) -> Option<Extensions> {
        let mut found = Extensions::default();
        let mut list = der.inside(tag::SEQUENCE)?;
        while !list.is_empty() {
            let mut extension = list.inside(tag::SEQUENCE)?;
            let id = extension.take(tag::OBJECT_ID)?;
            extension.take_if(tag::BOOLEAN);
            let value = extension.take(tag::OCTET_STRING)?;
            match id {
                ALTERNATIVE_NAMES => found.has_alternative_names = true,
                EXTENDED_USAGE => found.usages = Some(usages(Der::new(value))?),
                _ => {}
            }
        }
        Some(found)
    }
}

/// Purposes are the arc `id-kp` of RFC 5280.
fn usages(mut der: Der<'_>) -> Option<Vec<Usage>> {
    let mut list = der.inside(tag::SEQUENCE)?;
    let mut usages = Vec::new();
    while !list.is_empty() {
        usages.push(match list.take(tag::OBJECT_ID)? {
            [0x2b, 6, 1, 5, 5, 7, 3, 1] => Usage::Server,
            [0x2b, 6, 1, 5, 5, 7, 3, 2] => Usage::Client,
            [0x55, 0x1d, 0x25, 0] => Usage::Any,
            _ => Usage::Other,
        });
    }
    Some(usages)
}

/// Calls `each` for the attributes of a name, in their order.
fn attributes<'a>(mut name: Der<'a>, mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    while !name.is_empty() {
        let mut group = name.inside(tag::SET)?;
        while !group.is_empty() {
            let mut attribute = group.inside(tag::SEQUENCE)?;
            let id = attribute.take(tag::OBJECT_ID)?;
            each(id, attribute.next()?.1);
        }
    }
    Some(())
}

fn common_name(name: Der<'_>) -> Option<Option<String>> {
    let mut found = None;
    attributes(name, |id, value| {
        if id == COMMON_NAME {
            found = Some(String::from_utf8_lossy(value).into_owned());
        }
    })?;
    Some(found)
}

/// OpenSSL's one-line form: what is not printable ASCII is written `\xHH`.
fn one_line(name: Der<'_>) -> Option<String> {
    let mut line = String::new();
    attributes(name, |id, value| {
        line.push('/');
        match SHORT_NAMES.iter().find(|(known, _)| *known == id) {
            Some((_, short)) => line.push_str(short),
            None => line.push_str(&dotted(id)),
        }
        line.push('=');
        for byte in value {
            // Writing to a String cannot fail.
            let _ = match byte {
                b' '..=b'~' => line.write_char(char::from(*byte)),
                _ => write!(line, "\\x{byte:02X}"),
            };
        }
    })?;
    Some(line)
}

/// An object identifier as numbers with dots.
fn dotted(id: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0u64;
    for byte in id {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    if let Some(first) = numbers.first_mut() {
        // The first two numbers are one: 40 times the first, which is at most 2, and the second.
        let top = (*first / 40).min(2);
        *first -= 40 * top;
        numbers.insert(0, top);
    }
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    texts.join(".")
}

/// A point in time: two digits of the year or four, and always UTC.
fn time(der: &mut Der<'_>) -> Option<i64> {
    let (kind, text) = der.next()?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let short: i64;
    let (year, rest) = match kind {
        tag::UTC_TIME => {
            short = text.get(..2)?.parse().ok()?;
            // RFC 5280: 50 to 99 are of the last century.
            (short + if short < 50 { 2000 } else { 1900 }, text.get(2..)?)
        }
        tag::GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let pair = |place: usize| rest.get(place..place + 2)?.parse::<i64>().ok();
    let (month, day) = (pair(0)?, pair(2)?);
    let seconds = pair(4)? * 3600 + pair(6)? * 60 + pair(8)?;
    Some(days(year, month, day) * 86_400 + seconds)
}

/// Days since 1970 in the Gregorian calendar; a year begins in March, so that leap days are last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests;
