//! The filter language as a table, and the law that no query whatever breaks it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Filter;
use crate::fields::Fields;
use crate::query::Query;

fn row() -> Value {
    json!({
        "id": "70",
        "type": "sessions",
        "attributes": {
            "user": "app",
            "idle": 1.5,
            "thread": 2,
            "database": null,
            "tls": true,
            "text": "a,b)c",
            "connections": [
                { "server": "db-a", "connection_id": 991 },
                { "server": "db-b", "connection_id": 412 }
            ],
            "memory": { "total": 1600, "client": { "total": 12 } }
        },
        "relationships": { "services": { "data": [ { "id": "RW", "type": "services" } ] } }
    })
}

fn passes(query: &str) -> Result<bool, String> {
    Filter::of(&Query::parse(query))
        .map(|filter| filter.passes(&row()))
        .map_err(|error| error.to_string())
}

#[test]
fn what_holds_and_what_does_not() {
    let cases = [
        ("", true),
        // As the shipped clients send them.
        (r#"filter=/relationships/services/data/0/id="RW""#, true),
        (r#"filter=/relationships/services/data/0/id="CLI""#, false),
        (r#"filter=/attributes/connections/0/server="db-a""#, true),
        ("filter[$.attributes.thread]=and(ge(1),le(2))", true),
        (r#"filter[$.attributes.user]=or(eq("x"),eq("app"))"#, true),
        // Bare values mean eq.
        (r#"filter=id="70""#, true),
        ("filter=attributes/database=null", true),
        ("filter=attributes/tls=true", true),
        ("filter=attributes/thread=2.0", true),
        ("filter=attributes/thread=3", false),
        // Ids are strings of digits and compare with numbers.
        ("filter=id=and(ge(50),le(100))", true),
        ("filter=id=70", true),
        ("filter=id=lt(8)", false),
        (r#"filter=id=lt("8")"#, true),
        ("filter=attributes/user=ge(1)", false),
        (r#"filter=attributes/thread="2""#, false),
        // Ordering.
        ("filter=attributes/idle=gt(1)", true),
        ("filter=attributes/idle=lt(1.5)", false),
        ("filter=attributes/idle=le(1.5)", true),
        (r#"filter=attributes/user=gt("ap")"#, true),
        ("filter=attributes/tls=ge(true)", false),
        ("filter=attributes/database=le(null)", false),
        // Deep equality.
        (
            r#"filter=attributes/memory={"client":{"total":12},"total":1600.0}"#,
            true,
        ),
        (r#"filter=attributes/memory={"total":1600}"#, false),
        (
            r#"filter[attributes.connections]=eq([{"server":"db-a","connection_id":991},{"server":"db-b","connection_id":412}])"#,
            true,
        ),
        // Literals that hold the language's own signs.
        (r#"filter=attributes/text="a,b)c""#, true),
        (r#"filter=attributes/text=or(eq("a,b)c"),eq("\")"))"#, true),
        ("filter=+attributes/thread=2", false),
        ("filter=attributes/thread=+and(+eq(2)+,+ne(3)+)+", true),
        // Several values: one is enough.
        (
            r#"filter[attributes.connections[*].server]=eq("db-b")"#,
            true,
        ),
        (
            r#"filter[attributes.connections[0].server]=eq("db-b")"#,
            false,
        ),
        (
            "filter[attributes.connections[0,1].connection_id]=lt(500)",
            true,
        ),
        ("filter[$.attributes.memory.*]=eq(1600)", true),
        (r#"filter[$['attributes']["user"]]=ne("x")"#, true),
        // A place that does not exist.
        ("filter=attributes/nothing=null", false),
        ("filter=attributes/nothing=ne(1)", false),
        ("filter=attributes/nothing=not(eq(1))", true),
        ("filter[attributes.nothing]=not(ne(1),eq(1))", true),
        ("filter=attributes/thread=not(eq(2),eq(3))", false),
        ("filter=attributes/thread=not(eq(1),eq(3))", true),
        // All of them must hold.
        ("filter=id=70&filter[attributes.thread]=eq(2)", true),
        ("filter=id=70&filter[attributes.thread]=eq(3)", false),
        ("filter[id]=eq(70)&filter[attributes.thread]=eq(3)", false),
        ("filter=attributes/thread=-0", false),
        ("filter=id=lt(18446744073709551615)", true),
    ];
    for (query, expect) in cases {
        let query = query.replace(' ', "%20");
        assert_eq!(passes(&query), Ok(expect), "{query}");
    }
}

#[test]
fn what_is_no_filter() {
    let cases = [
        ("filter", "filter '': expected POINTER=EXPRESSION"),
        ("filter=id", "filter 'id': expected POINTER=EXPRESSION"),
        (
            "filter=id=",
            "filter expression '': '' is not JSON; strings stand in double quotes",
        ),
        (
            "filter=id=RW",
            "filter expression 'RW': 'RW' is not JSON; strings stand in double quotes",
        ),
        (
            "filter=id=like(1)",
            "filter expression 'like(1)': unknown function 'like', use eq, ne, lt, le, gt, ge, and, or, not",
        ),
        (
            "filter=id=eq(1",
            "filter expression 'eq(1': a ')' is missing",
        ),
        (
            "filter=id=and(eq(1)",
            "filter expression 'and(eq(1)': a ')' is missing",
        ),
        (
            "filter=id=eq(1,2)",
            "filter expression 'eq(1,2)': a ')' is missing",
        ),
        (
            "filter=id=eq(1))",
            "filter expression 'eq(1))': ')' stands behind the end",
        ),
        (
            "filter=id=1,2",
            "filter expression '1,2': ',2' stands behind the end",
        ),
        (
            "filter=id=and()",
            "filter expression 'and()': '' is not JSON; strings stand in double quotes",
        ),
        (
            "filter[id]=1",
            "filter expression '1': a value alone is only possible with filter=, write eq(…)",
        ),
        (
            "filter[a..b]=eq(1)",
            "filter path 'a..b': a name is missing",
        ),
        ("filter[]=eq(1)", "filter path '': the path is empty"),
    ];
    for (query, expect) in cases {
        assert_eq!(passes(query), Err(expect.to_owned()), "{query}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| {
        let text = format!("{}eq(70){}", "not(".repeat(levels), ")".repeat(levels));
        passes(&format!("filter=id={text}"))
    };
    assert_eq!(nested(32), Ok(true));
    assert!(nested(33).is_err_and(|error| error.ends_with("nested deeper than 32 levels")));
    assert!(nested(100_000).is_err());
    let brackets = "[".repeat(100_000);
    assert!(passes(&format!("filter=id={brackets}")).is_err());
}

proptest! {
    #[test]
    fn no_query_makes_it_panic(text in r#"([a-z$.*,()\[\]'"0-9=&%/~+\\{}:é-]|filter=|fields\[sessions\]=|attributes/|eq\(|and\(|filter\[){0,40}"#) {
        let query = Query::parse(&text);
        if let Ok(filter) = Filter::of(&query) {
            filter.passes(&row());
        }
        let mut sparse = row();
        Fields::of(&query, "sessions").apply(&mut sparse);
        prop_assert_eq!(&sparse["id"], "70");
    }

    #[test]
    fn any_bytes_at_all(text in ".{0,80}") {
        let _ = passes(&format!("filter={text}"));
        let _ = passes(&format!("filter[{text}]=eq(1)"));
        let _ = passes(&format!("filter=a=eq({text})"));
    }

    #[test]
    fn what_a_row_holds_is_equal_to_itself(number in any::<i64>(), text in ".{0,20}") {
        for value in [json!(number), json!(text), json!([number, { "a": text }])] {
            let row = json!({ "v": value });
            let query = Query::default();
            prop_assert!(Filter::of(&query).is_ok_and(|filter| filter.is_empty()));
            let encoded = percent_encoding::utf8_percent_encode(
                &value.to_string(),
                percent_encoding::NON_ALPHANUMERIC,
            ).to_string();
            let filter = Filter::of(&Query::parse(&format!("filter=v={encoded}"))).expect("a filter");
            prop_assert!(filter.passes(&row));
        }
    }
}
