//! The PROXY header, with which a proxy tells a server the client's address before anything else.
//!
//! Left out: trusting what version 2 may say besides addresses. Its checksum is verified where it
//! is there, its word of TLS is only reported. Invariant: a header is recognised by bytes that no
//! login can begin with, so connections with and without one may share a port.
//!
//! Source: "The PROXY protocol, versions 1 & 2" (HAProxy); MariaDB manual, "Proxy Protocol Support".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What the text form begins with.
const V1_START: &[u8] = b"PROXY ";
/// What the binary form begins with.
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest text form, its line end included.
const V1_LONGEST: usize = 107;
/// The fixed part of the binary form.
const V2_FIXED: usize = 16;

/// In which form a header is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The connection was made by a client at this address.
    From(SocketAddr),
    /// Nothing about a client: the peer speaks for itself, or the client has no address.
    Unknown,
}

/// The start of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// No header.
    Plain,
    /// Too few bytes to know.
    Short,
    /// A header, of which more bytes must come.
    Partial,
    /// A whole header.
    Whole {
        /// What it says.
        header: Header,
        /// How many bytes it takes.
        len: usize,
        /// It says that the client's own connection is encrypted. Nobody vouches for that.
        tls: bool,
    },
}

/// Bytes that begin as a header and are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No line end where one must be.
    #[error("a PROXY line of more than {V1_LONGEST} bytes")]
    LongLine,
    /// A line that is not made as it should.
    #[error("a PROXY line without protocol, two addresses and two ports")]
    Line,
    /// A version, command or address family that does not exist.
    #[error("a binary PROXY header with the unknown code {0:#04x}")]
    Code(u8),
    /// Fewer bytes than the family's addresses take, or a field that is longer than its header.
    #[error("a binary PROXY header that is shorter than what it holds")]
    Length,
    /// The bytes are not those that were sent.
    #[error("a binary PROXY header with a wrong checksum")]
    Checksum,
}

/// Looks at the first bytes that a peer sent.
///
/// # Errors
/// They begin as a header and are none.
pub fn read(bytes: &[u8]) -> Result<Start, HeaderError> {
    if bytes.starts_with(V1_START) {
        return read_v1(bytes);
    }
    if bytes.starts_with(V2_START) {
        return read_v2(bytes);
    }
    if V1_START.starts_with(bytes) || V2_START.starts_with(bytes) {
        return Ok(Start::Short);
    }
    Ok(Start::Plain)
}

fn read_v1(bytes: &[u8]) -> Result<Start, HeaderError> {
    let Some(end) = memchr::memmem::find(bytes.get(..V1_LONGEST).unwrap_or(bytes), b"\r\n") else {
        return if bytes.len() < V1_LONGEST {
            Ok(Start::Partial)
        } else {
            Err(HeaderError::LongLine)
        };
    };
    let line = bytes.get(V1_START.len()..end).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| HeaderError::Line)?;
    let mut words = line.split(' ');
    let header = match words.next() {
        // What follows is to be ignored.
        Some("UNKNOWN") => Header::Unknown,
        Some("TCP4") => Header::From(source::<Ipv4Addr>(words).ok_or(HeaderError::Line)?),
        Some("TCP6") => Header::From(source::<Ipv6Addr>(words).ok_or(HeaderError::Line)?),
        _ => return Err(HeaderError::Line),
    };
    Ok(Start::Whole {
        header,
        len: end + 2,
        tls: false,
    })
}

/// Source and destination address, source and destination port.
fn source<'a, A>(mut words: impl Iterator<Item = &'a str>) -> Option<SocketAddr>
where
    A: FromStr + Into<IpAddr>,
{
    let address: A = words.next()?.parse().ok()?;
    let _: A = words.next()?.parse().ok()?;
    let port = port(words.next()?)?;
    let _ = self::port(words.next()?)?;
    words
        .next()
        .is_none()
        .then(|| SocketAddr::new(address.into(), port))
}

fn port(word: &str) -> Option<u16> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok())?
}

fn read_v2(bytes: &[u8]) -> Result<Start, HeaderError> {
    let Some((&[version_command, family, len_high, len_low], rest)) = bytes
        .get(V2_START.len()..)
        .and_then(|rest| rest.split_first_chunk())
    else {
        return Ok(Start::Partial);
    };
    let body_len = usize::from(u16::from_be_bytes([len_high, len_low]));
    let speaks_for_itself = match version_command {
        0x20 => true,
        0x21 => false,
        code => return Err(HeaderError::Code(code)),
    };
    // The low half is the transport, which says nothing that matters here.
    let address_len = match family >> 4 {
        0 => 0,
        1 => 12,
        2 => 36,
        3 => 216,
        _ => return Err(HeaderError::Code(family)),
    };
    let Some(body) = rest.get(..body_len) else {
        return Ok(Start::Partial);
    };
    if speaks_for_itself && body.len() < address_len {
        // The addresses of such a header are to be skipped, if they are there at all.
        return Ok(whole(Header::Unknown, body_len, false));
    }
    let (addresses, fields) = body
        .split_at_checked(address_len)
        .ok_or(HeaderError::Length)?;
    let whole_header = bytes.get(..V2_FIXED + body_len).unwrap_or(bytes);
    let tls = read_fields(fields, whole_header)?;
    let header = if speaks_for_itself {
        Header::Unknown
    } else {
        match *addresses {
            [a, b, c, d, _, _, _, _, high, low, _, _] => Header::From(SocketAddr::new(
                Ipv4Addr::new(a, b, c, d).into(),
                u16::from_be_bytes([high, low]),
            )),
            [ref ip @ .., high, low, _, _] if ip.len() == 32 => {
                let ip: [u8; 16] = ip.first_chunk().copied().ok_or(HeaderError::Length)?;
                Header::From(SocketAddr::new(
                    Ipv6Addr::from(ip).into(),
                    u16::from_be_bytes([high, low]),
                ))
            }
            _ => Header::Unknown,
        }
    };
    Ok(whole(header, body_len, tls))
}

fn whole(header: Header, body_len: usize, tls: bool) -> Start {
    Start::Whole {
        header,
        len: V2_FIXED + body_len,
        tls,
    }
}

/// Walks over the fields behind the addresses: type, length, value. Says whether the client's own
/// connection is said to be encrypted.
fn read_fields(mut fields: &[u8], header: &[u8]) -> Result<bool, HeaderError> {
    const CHECKSUM: u8 = 0x03;
    const TLS: u8 = 0x20;
    let mut tls = false;
    while let Some((&[kind, high, low], rest)) = fields.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(len).ok_or(HeaderError::Length)?;
        match kind {
            CHECKSUM => {
                let said = value.try_into().map_err(|_| HeaderError::Length)?;
                let at = header.len() - rest.len() - value.len();
                if u32::from_be_bytes(said) != checksum(header, at) {
                    return Err(HeaderError::Checksum);
                }
            }
            // The lowest bit of its first byte: the client connected over TLS.
            TLS => tls = value.first().is_some_and(|bits| bits & 1 == 1),
            _ => {}
        }
        fields = rest;
    }
    if fields.is_empty() {
        Ok(tls)
    } else {
        Err(HeaderError::Length)
    }
}

/// CRC32C of a header whose four bytes from `at` on count as zeros.
fn checksum(header: &[u8], at: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let bytes = header.iter().enumerate();
    let sum = bytes.fold(u32::MAX, |sum, (index, byte)| {
        let byte = if (at..at + 4).contains(&index) {
            0
        } else {
            *byte
        };
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg())
        })
    });
    !sum
}

/// Writes a header: the client at `source`, if it has an address, connected to `destination`.
/// Addresses of different families are both written as IPv6.
pub fn write(
    version: Version,
    source: Option<SocketAddr>,
    destination: SocketAddr,
    out: &mut Vec<u8>,
) {
    match version {
        Version::V1 => write_v1(source, destination, out),
        Version::V2 => write_v2(source, destination, out),
    }
}

fn write_v1(source: Option<SocketAddr>, destination: SocketAddr, out: &mut Vec<u8>) {
    let line = match source.map(|source| (source, source.ip(), destination.ip())) {
        None => "PROXY UNKNOWN\r\n".to_owned(),
        Some((source, from, to)) => {
            let (name, from, to) = match (from, to) {
                (IpAddr::V4(_), IpAddr::V4(_)) => ("TCP4", from, to),
                _ => ("TCP6", as_v6(from).into(), as_v6(to).into()),
            };
            let (from_port, to_port) = (source.port(), destination.port());
            format!("PROXY {name} {from} {to} {from_port} {to_port}\r\n")
        }
    };
    out.extend_from_slice(line.as_bytes());
}

fn write_v2(source: Option<SocketAddr>, destination: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(V2_START);
    let Some(source) = source else {
        out.extend_from_slice(&[0x21, 0x00, 0, 0]);
        return;
    };
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend_from_slice(&[0x21, 0x11, 0, 12]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        (from, to) => {
            out.extend_from_slice(&[0x21, 0x21, 0, 36]);
            out.extend_from_slice(&as_v6(from).octets());
            out.extend_from_slice(&as_v6(to).octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str, len: usize) -> Result<Start, HeaderError> {
        Ok(Start::Whole {
            header: Header::From(address.parse().unwrap()),
            len,
            tls: false,
        })
    }

    fn unknown(len: usize) -> Result<Start, HeaderError> {
        Ok(Start::Whole {
            header: Header::Unknown,
            len,
            tls: false,
        })
    }

    #[test]
    fn lines_of_text() {
        let line = Err(HeaderError::Line);
        for (bytes, expect) in [
            (
                &b"PROXY TCP4 192.0.2.1 192.0.2.9 56324 3306\r\n\x01"[..],
                from("192.0.2.1:56324", 43),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n",
                from("[2001:db8::1]:1", 32),
            ),
            (b"PROXY UNKNOWN\r\n", unknown(15)),
            (b"PROXY UNKNOWN anything at all\r\n", unknown(31)),
            (b"PROXY TCP4 192.0.2.1", Ok(Start::Partial)),
            (
                b"PROXY TCP4 192.0.2.1 192.0.2.9 1 2\n\n",
                Ok(Start::Partial),
            ),
            (b"PROXY TCP4 ::1 192.0.2.9 1 2\r\n", line.clone()),
            (b"PROXY TCP4 192.0.2.1 192.0.2.9 1\r\n", line.clone()),
            (b"PROXY TCP4 192.0.2.1 192.0.2.9 1 65536\r\n", line.clone()),
            (b"PROXY TCP4 192.0.2.1 192.0.2.9 +1 2\r\n", line.clone()),
            (b"PROXY TCP4  192.0.2.1 192.0.2.9 1 2\r\n", line.clone()),
            (b"PROXY TCP4 192.0.2.1 192.0.2.9 1 2 3\r\n", line.clone()),
            (b"PROXY tcp4 192.0.2.1 192.0.2.9 1 2\r\n", line.clone()),
            (b"PROXY \xff\r\n", line),
        ] {
            assert_eq!(read(bytes), expect, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut bytes = b"PROXY UNKNOWN ".to_vec();
        bytes.resize(V1_LONGEST - 1, b'x');
        assert_eq!(read(&bytes), Ok(Start::Partial));
        bytes.push(b'x');
        assert_eq!(read(&bytes), Err(HeaderError::LongLine));
    }

    #[test]
    fn what_is_no_header() {
        // A login of 0x4f5250 bytes, an SSLRequest, and what may still become a header.
        for (bytes, expect) in [
            (&b"PRO\x01"[..], Start::Plain),
            (b"\x20\0\0\x01", Start::Plain),
            (b"\r\n\r\x01", Start::Plain),
            (b"PROXY", Start::Short),
            (b"\r\n\r\n\0", Start::Short),
            (b"", Start::Short),
        ] {
            assert_eq!(read(bytes), Ok(expect), "{}", bytes.escape_ascii());
        }
    }

    /// A binary header around a body.
    fn binary(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = V2_START.to_vec();
        bytes.extend_from_slice(&[version_command, family]);
        bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 9, 0xdc, 4, 0x0c, 0xea];

    #[test]
    fn binary_headers() {
        let v6: Vec<u8> = [[0; 15].as_slice(), &[1], &[0; 16], &[0, 7, 0, 8]].concat();
        let with_field = [V4.as_slice(), &[0x04, 0, 2, 0, 0]].concat();
        let cut_field = [V4.as_slice(), &[0x04, 0, 3, 0, 0]].concat();
        for (bytes, expect) in [
            (binary(0x21, 0x11, &V4), from("192.0.2.1:56324", 28)),
            (binary(0x21, 0x21, &v6), from("[::1]:7", 52)),
            (binary(0x21, 0x11, &with_field), from("192.0.2.1:56324", 33)),
            (binary(0x21, 0x31, &[0; 216]), unknown(232)),
            (binary(0x21, 0x00, &[]), unknown(16)),
            (binary(0x20, 0x00, &[]), unknown(16)),
            (binary(0x20, 0x11, &V4), unknown(28)),
            (binary(0x20, 0x11, &[]), unknown(16)),
            (binary(0x21, 0x11, &V4[..11]), Err(HeaderError::Length)),
            (binary(0x21, 0x11, &cut_field), Err(HeaderError::Length)),
            (binary(0x22, 0x11, &V4), Err(HeaderError::Code(0x22))),
            (binary(0x31, 0x11, &V4), Err(HeaderError::Code(0x31))),
            (binary(0x21, 0x41, &V4), Err(HeaderError::Code(0x41))),
        ] {
            assert_eq!(read(&bytes), expect, "{}", bytes.escape_ascii());
            for cut in 1..bytes.len() {
                let start = read(&bytes[..cut]);
                assert!(
                    matches!(start, Ok(Start::Short | Start::Partial)) || start == expect,
                    "{cut} bytes of {}",
                    bytes.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn a_checksum_is_verified() {
        // CRC32C's check value (RFC 3720, B.4: 32 bytes of zeros).
        assert_eq!(checksum(&[0; 32], 32), 0x8a91_36aa);
        let body = [V4.as_slice(), &[0x03, 0, 4, 0, 0, 0, 0]].concat();
        let mut bytes = binary(0x21, 0x11, &body);
        assert_eq!(read(&bytes), Err(HeaderError::Checksum));
        let at = bytes.len() - 4;
        let sum = checksum(&bytes, at).to_be_bytes();
        bytes[at..].copy_from_slice(&sum);
        assert_eq!(read(&bytes), from("192.0.2.1:56324", 35));
    }

    #[test]
    fn a_word_of_tls_is_reported() {
        let body = [V4.as_slice(), &[0x20, 0, 5, 1, 0, 0, 0, 0]].concat();
        let expect = Start::Whole {
            header: Header::From("192.0.2.1:56324".parse().unwrap()),
            len: 36,
            tls: true,
        };
        assert_eq!(read(&binary(0x21, 0x11, &body)), Ok(expect));
    }

    #[test]
    fn what_is_written_is_read() {
        let addresses = ["192.0.2.1:1", "[2001:db8::1]:65535"].map(|a| a.parse().unwrap());
        for version in [Version::V1, Version::V2] {
            for destination in addresses {
                let mut bytes = Vec::new();
                write(version, None, destination, &mut bytes);
                assert_eq!(read(&bytes), unknown(bytes.len()));
                for source in addresses {
                    let mut bytes = Vec::new();
                    write(version, Some(source), destination, &mut bytes);
                    let Ok(Start::Whole {
                        header: Header::From(seen),
                        len,
                        ..
                    }) = read(&bytes)
                    else {
                        panic!("{}", bytes.escape_ascii());
                    };
                    assert_eq!(len, bytes.len());
                    assert_eq!(seen.port(), source.port());
                    assert_eq!(seen.ip().to_canonical(), source.ip());
                }
            }
        }
        let mut line = Vec::new();
        let (source, destination) = (
            "192.0.2.1:1".parse().ok(),
            "127.0.0.1:3306".parse().unwrap(),
        );
        write(Version::V1, source, destination, &mut line);
        assert_eq!(line, b"PROXY TCP4 192.0.2.1 127.0.0.1 1 3306\r\n");
    }
}
