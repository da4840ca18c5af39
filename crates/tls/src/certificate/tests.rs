use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};

use super::*;

fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn names_are_written_as_openssl_writes_them() {
    let der = made(|params| {
        let name = &mut params.distinguished_name;
        name.push(DnType::CountryName, "FI");
        name.push(DnType::OrganizationName, "Ä & co");
        name.push(DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99999]), "x");
        name.push(DnType::CommonName, "db.test");
    });
    let read = Certificate::read(&der).unwrap();
    let line = "/C=FI/O=\\xC3\\x84 & co/1.3.6.1.4.1.99999=x/CN=db.test";
    assert_eq!((read.subject.as_str(), read.issuer.as_str()), (line, line));
    assert!(read.is_named("DB.test") && !read.is_named("db2.test"));
}

#[test]
fn times_are_read() {
    let der = made(|params| {
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(2100, 3, 1);
    });
    let read = Certificate::read(&der).unwrap();
    assert_eq!(
        (read.not_before, read.not_after),
        (946_598_400, 4_107_542_400)
    );
}

#[test]
fn purposes_are_read() {
    assert!(
        Certificate::read(&made(|_| {}))
            .unwrap()
            .allows(Usage::Client)
    );
    let der = made(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let read = Certificate::read(&der).unwrap();
    assert!(read.allows(Usage::Server) && !read.allows(Usage::Client));
}

#[test]
fn a_common_name_counts_only_alone() {
    let named = |name: &str| {
        let name = name.to_owned();
        Certificate::read(&made(|params| {
            params.distinguished_name.push(DnType::CommonName, name)
        }))
        .unwrap()
    };
    let wild = named("*.db.test");
    assert!(wild.is_named("a.db.test"));
    assert!(!wild.is_named("a.b.db.test") && !wild.is_named("db.test"));
    assert!(named("10.0.0.1").is_named("10.0.0.1"));
    assert!(!named("*.test").is_named("a.test"));
    assert!(!named("*.0.0.1").is_named("10.0.0.1"));
    let der = made(|params| {
        params
            .distinguished_name
            .push(DnType::CommonName, "db.test");
        params.subject_alt_names = vec![rcgen::SanType::DnsName("other.test".try_into().unwrap())];
    });
    assert!(!Certificate::read(&der).unwrap().is_named("db.test"));
}

#[test]
fn any_bytes_are_read_or_refused() {
    let der = made(|_| {});
    for end in 0..der.len() {
        assert!(Certificate::read(&der[..end]).is_none(), "{end}");
    }
    for place in 0..der.len() {
        let mut broken = der.clone();
        broken[place] ^= 0x5a;
        // Whatever it says: no panic.
        let _ = Certificate::read(&broken);
    }
}
