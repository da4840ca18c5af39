//! Sparse field sets: `fields[TYPE]=a/b,c`.

use serde_json::{Map, Value};

use crate::path::pointer_steps;
use crate::query::Query;

/// What to keep of `attributes` and `relationships` of one type of resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// `None`: nothing was asked for, everything stays.
    pointers: Option<Vec<Vec<String>>>,
}

impl Fields {
    /// Reads the parameters that concern this type.
    pub fn of(query: &Query, kind: &str) -> Self {
        let mut pointers = None;
        for (_, list) in query.family("fields").filter(|(inner, _)| *inner == kind) {
            pointers.get_or_insert_with(Vec::new).extend(
                list.split(',')
                    .filter(|pointer| !pointer.is_empty())
                    .map(pointer_steps),
            );
        }
        Self { pointers }
    }

    /// Whether everything stays.
    pub fn is_all(&self) -> bool {
        self.pointers.is_none()
    }

    /// Drops from a resource object whatever was not asked for. An object emptied by that is
    /// dropped whole; id, type and links always stay.
    pub fn apply(&self, resource: &mut Value) {
        let (Some(pointers), Some(members)) = (&self.pointers, resource.as_object_mut()) else {
            return;
        };
        let wanted: Vec<&[String]> = pointers.iter().map(Vec::as_slice).collect();
        for name in ["attributes", "relationships"] {
            let Some(whole) = members.get(name) else {
                continue;
            };
            match select(whole, &wanted) {
                Some(kept) => {
                    members.insert(name.to_owned(), kept);
                }
                None => {
                    members.shift_remove(name);
                }
            }
        }
    }
}

/// What these pointers pick out of a value. A pointer does not go into an array: it selects
/// the whole of it.
fn select(value: &Value, wanted: &[&[String]]) -> Option<Value> {
    if wanted.is_empty() {
        return None;
    }
    if wanted.iter().any(|steps| steps.is_empty()) || value.is_array() {
        return Some(value.clone());
    }
    let mut kept = Map::new();
    for (name, member) in value.as_object()? {
        let inner: Vec<&[String]> = wanted
            .iter()
            .filter_map(|steps| match steps.split_first() {
                Some((first, rest)) if first == name => Some(rest),
                _ => None,
            })
            .collect();
        if let Some(part) = select(member, &inner) {
            kept.insert(name.clone(), part);
        }
    }
    (!kept.is_empty()).then(|| kept.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service() -> Value {
        json!({
            "id": "RW",
            "type": "services",
            "attributes": {
                "state": "Started",
                "statistics": { "connections": 1, "active_operations": 0 },
                "router_diagnostics": { "queries": 9 },
                "listeners": [ { "id": "L" } ]
            },
            "relationships": { "servers": { "data": [ { "id": "db-a" } ] } },
            "links": { "self": "x" }
        })
    }

    fn check(query: &str, attributes: &Value, relationships: &Value) {
        let mut row = service();
        Fields::of(&Query::parse(query), "services").apply(&mut row);
        let part = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
        assert_eq!(&part("attributes"), attributes, "{query}");
        assert_eq!(&part("relationships"), relationships, "{query}");
        for always in ["id", "type", "links"] {
            assert!(row.get(always).is_some(), "{query} dropped {always}");
        }
    }

    #[test]
    fn the_examples() {
        check(
            "fields[services]=state",
            &json!({ "state": "Started" }),
            &Value::Null,
        );
        check(
            "fields[services]=statistics/connections,router_diagnostics/queries",
            &json!({ "statistics": { "connections": 1 }, "router_diagnostics": { "queries": 9 } }),
            &Value::Null,
        );
        check(
            "fields[services]=servers",
            &Value::Null,
            &json!({ "servers": { "data": [ { "id": "db-a" } ] } }),
        );
        check("fields[services]=id", &Value::Null, &Value::Null);
        check("fields[services]=", &Value::Null, &Value::Null);
        check("fields[services]=state/deeper", &Value::Null, &Value::Null);
        check(
            "fields[services]=/state",
            &json!({ "state": "Started" }),
            &Value::Null,
        );
        check(
            "fields[services]=listeners/0/id",
            &json!({ "listeners": [ { "id": "L" } ] }),
            &Value::Null,
        );
        check(
            "fields[services]=statistics&fields[services]=statistics/connections",
            &json!({ "statistics": { "connections": 1, "active_operations": 0 } }),
            &Value::Null,
        );
    }

    #[test]
    fn other_types_change_nothing() {
        for query in ["fields[servers]=state", "fields=state", ""] {
            let mut row = service();
            Fields::of(&Query::parse(query), "services").apply(&mut row);
            assert_eq!(row, service(), "{query}");
        }
    }
}
