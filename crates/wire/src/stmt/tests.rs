use super::*;
use crate::Rewrite;

const EXECUTE: &[u8] = b"\x17\x02\0\0\0\x01\x01\0\0\0\0\x01\x08\x80\xfd\0\x07\0\0\0\0\0\0\0\x01x";
const EXECUTE_AGAIN: &[u8] = b"\x17\x02\0\0\0\x01\x01\0\0\0\0\0\x07\0\0\0\0\0\0\0\x01x";
const BULK: &[u8] = b"\xfa\x02\0\0\0\xc0\0\x08\0\xfd\0\0\x07\0\0\0\0\0\0\0\x01";
const BULK_AGAIN: &[u8] = b"\xfa\x02\0\0\0\x40\0\0\x07\0\0\0\0\0\0\0\x01";

#[test]
fn layouts() {
    let execute = Execute::parse(EXECUTE, 2).unwrap();
    assert_eq!((execute.id, execute.opens_cursor), (2, true));
    assert_eq!(types_of(EXECUTE, 2), Some(&b"\x08\x80\xfd\0"[..]));
    assert_eq!(types_of(EXECUTE_AGAIN, 2), None);
    assert!(Execute::announces_types(EXECUTE, 2));
    assert!(!Execute::announces_types(EXECUTE_AGAIN, 2));
    let bulk = Bulk::parse(BULK, 2).unwrap();
    assert_eq!((bulk.id, bulk.unit_results), (2, true));
    assert_eq!(types_of(BULK, 2), Some(&b"\x08\0\xfd\0"[..]));
    let long = LongData::parse(b"\x18\x02\0\0\0\x01\0abc").unwrap();
    assert_eq!((long.id, long.param, long.data), (2, 1, &b"abc"[..]));
    let fetch = Fetch::parse(b"\x1c\x02\0\0\0\x64\0\0\0").unwrap();
    assert_eq!((fetch.id, fetch.rows), (2, 100));
}

#[track_caller]
fn check_insert(payload: &[u8], params: u16, types: &[u8], expect: Option<&[u8]>) {
    let mut out = b"before".to_vec();
    let rewrite = insert_types(payload, params, types, &mut out).unwrap();
    assert_eq!(rewrite == Rewrite::Written, expect.is_some());
    assert_eq!(&out[6..], expect.unwrap_or_default());
}

#[test]
fn types_are_put_where_the_first_execution_had_them() {
    check_insert(EXECUTE_AGAIN, 2, b"\x08\x80\xfd\0", Some(EXECUTE));
    check_insert(EXECUTE, 2, b"\x08\0\xfd\0", None);
    check_insert(BULK_AGAIN, 2, b"\x08\0\xfd\0", Some(BULK));
    check_insert(BULK, 2, b"\x08\x80\xfd\0", None);
    check_insert(b"\x17\x01\0\0\0\0\x01\0\0\0", 0, b"", None);
}

#[test]
fn types_of_another_number_of_parameters_are_refused() {
    for types in [&b"\x08\0"[..], b"\x08\0\xfd\0\x08\0"] {
        let result = insert_types(EXECUTE_AGAIN, 2, types, &mut Vec::new());
        assert!(result.is_err(), "{types:?}");
    }
}

#[test]
fn cut_payloads_are_errors() {
    for len in 0..16 {
        assert!(Execute::parse(&EXECUTE[..len], 2).is_err(), "{len}");
        assert_eq!(types_of(&EXECUTE[..len], 2), None);
    }
    for len in 0..11 {
        assert!(Bulk::parse(&BULK[..len], 2).is_err(), "{len}");
    }
}

#[test]
fn ids_are_patched_in_commands_and_replies() {
    let mut payload = EXECUTE.to_vec();
    set_stmt_id(&mut payload, LAST_PREPARED).unwrap();
    assert_eq!(stmt_id(&payload), Some(LAST_PREPARED));
    assert_eq!(payload[5..], EXECUTE[5..]);
    let prepared = PrepareOk {
        id: 7,
        columns: 65535,
        params: 65535,
        warnings: 1,
    };
    let mut reply = Vec::new();
    prepared.encode(&mut reply);
    set_stmt_id(&mut reply, 9).unwrap();
    assert_eq!(
        PrepareOk::parse(&reply),
        Ok(PrepareOk { id: 9, ..prepared })
    );
    assert_eq!(stmt_id(&reply[..4]), None);
    assert!(set_stmt_id(&mut reply[..4], 1).is_err());
}
