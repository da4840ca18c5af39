//! What must hold for any bytes that come from a key manager: the body of the fuzz target, which a
//! stable test runs too.

use tidegate_keys::ttlv;

/// A body with its name, which is its target's and its corpus folder's.
pub(crate) type Body = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const BODIES: &[Body] = &[("keys_ttlv", ttlv)];

/// What can be read is written as it was.
pub(crate) fn ttlv(data: &[u8]) {
    if let Ok(item) = ttlv::decode(data) {
        assert_eq!(*ttlv::encode(&item), data);
        assert_eq!(ttlv::following(data), Ok(data.len() - 8));
    }
}
