//! Status flags of OK and EOF packets.

pub(crate) const IN_TRANS: u16 = 0x0001;
pub(crate) const AUTOCOMMIT: u16 = 0x0002;
pub(crate) const MORE_RESULTS: u16 = 0x0008;
pub(crate) const CURSOR_EXISTS: u16 = 0x0040;
pub(crate) const LAST_ROW_SENT: u16 = 0x0080;
pub(crate) const IN_TRANS_READONLY: u16 = 0x2000;
pub(crate) const SESSION_STATE_CHANGED: u16 = 0x4000;
