//! Resources, and the documents made of them.

use serde_json::{Map, Value, json};

use crate::links::{LinkBase, join};

/// Which generation of the API a document is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// 24.02: self links end in a slash, relationships have a URL of their own.
    #[default]
    Current,
    /// 2.2: self links of single resources have no final slash, and the self link of a
    /// relationship is the collection it points into.
    Legacy,
}

/// One resource object.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    kind: &'static str,
    id: String,
    path: String,
    attributes: Map<String, Value>,
    relationships: Option<Vec<Relationship>>,
    linked: bool,
}

/// A named list of references; its name is also the type and the collection of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relationship {
    /// `servers`, `services`, `monitors`, `filters`, `listeners`.
    pub name: &'static str,
    /// Ids in order. A relationship without any is left out of documents.
    pub ids: Vec<String>,
}

impl Relationship {
    /// A relationship to these ids.
    pub fn new<I>(name: &'static str, ids: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            name,
            ids: ids.into_iter().map(Into::into).collect(),
        }
    }

    /// The relationship object of the resource at `owner`.
    fn to_value(&self, owner: &str, base: &LinkBase, form: Form) -> Value {
        let data: Vec<Value> = self
            .ids
            .iter()
            .map(|id| json!({ "id": id, "type": self.name }))
            .collect();
        let related = base.collection(self.name);
        let links = match form {
            Form::Current => json!({
                "self": base.collection(&format!("{owner}/relationships/{}", self.name)),
                "related": related,
            }),
            Form::Legacy => json!({ "self": related }),
        };
        json!({ "links": links, "data": data })
    }
}

impl Resource {
    /// A member of the collection at `path` (relative, without outer slashes). It has neither
    /// attributes nor a `relationships` member yet.
    pub fn new(path: &str, kind: &'static str, id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            kind,
            path: join(path, &id),
            id,
            attributes: Map::new(),
            relationships: None,
            linked: true,
        }
    }

    /// A resource that is the only one of its kind and is found at its own name.
    pub fn singleton(name: &'static str) -> Self {
        Self {
            kind: name,
            id: name.to_owned(),
            path: name.to_owned(),
            attributes: Map::new(),
            relationships: None,
            linked: true,
        }
    }

    /// With these attributes.
    #[must_use]
    pub fn attributes(mut self, attributes: Map<String, Value>) -> Self {
        self.attributes = attributes;
        self
    }

    /// With the member `relationships`, present even if all of them are empty.
    #[must_use]
    pub fn relationships(mut self, relationships: Vec<Relationship>) -> Self {
        self.relationships = Some(relationships);
        self
    }

    /// Without the member `links`, as listeners are shown.
    #[must_use]
    pub fn unlinked(mut self) -> Self {
        self.linked = false;
        self
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its type.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The relationship object of that name, if it has members.
    pub fn relationship(&self, name: &str, base: &LinkBase, form: Form) -> Option<Value> {
        self.relationships
            .iter()
            .flatten()
            .find(|relationship| relationship.name == name && !relationship.ids.is_empty())
            .map(|relationship| relationship.to_value(&self.path, base, form))
    }

    /// The resource object.
    pub fn to_value(&self, base: &LinkBase, form: Form) -> Value {
        let mut object = Map::new();
        object.insert("id".into(), self.id.clone().into());
        object.insert("type".into(), self.kind.into());
        object.insert("attributes".into(), self.attributes.clone().into());
        if let Some(relationships) = &self.relationships {
            let members: Map<String, Value> = relationships
                .iter()
                .filter(|relationship| !relationship.ids.is_empty())
                .map(|relationship| {
                    let value = relationship.to_value(&self.path, base, form);
                    (relationship.name.to_owned(), value)
                })
                .collect();
            object.insert("relationships".into(), members.into());
        }
        if self.linked {
            object.insert("links".into(), self.links(base, form));
        }
        object.into()
    }

    /// The links object of the resource, also that of the document around it.
    pub fn links(&self, base: &LinkBase, form: Form) -> Value {
        let url = match form {
            Form::Current => base.collection(&self.path),
            Form::Legacy => base.bare(&self.path),
        };
        json!({ "self": url })
    }
}

/// The document of one resource.
pub fn single(links: Value, data: Value) -> Value {
    let mut document = Map::new();
    document.insert("links".into(), links);
    document.insert("data".into(), data);
    document.into()
}

/// The document of a collection. `meta` stands last, if there is any.
pub fn collection(links: Value, rows: Vec<Value>, meta: Option<Value>) -> Value {
    let mut document = Map::new();
    document.insert("links".into(), links);
    document.insert("data".into(), rows.into());
    if let Some(meta) = meta {
        document.insert("meta".into(), meta);
    }
    document.into()
}

/// The document that tells what went wrong, one entry a problem.
pub fn error_document<I>(details: I) -> Value
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    let errors: Vec<Value> = details
        .into_iter()
        .map(|detail| json!({ "detail": detail.into() }))
        .collect();
    json!({ "errors": errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Resource {
        let attributes = json!({ "state": "Running" });
        Resource::new("servers", "servers", "db-a")
            .attributes(attributes.as_object().expect("an object").clone())
            .relationships(vec![
                Relationship::new("services", ["RW"]),
                Relationship::new("monitors", Vec::<String>::new()),
            ])
    }

    #[test]
    fn a_resource_of_the_current_form() {
        let base = LinkBase::new("http", "h:8989", true);
        assert_eq!(
            server().to_value(&base, Form::Current),
            json!({
                "id": "db-a",
                "type": "servers",
                "attributes": { "state": "Running" },
                "relationships": {
                    "services": {
                        "links": {
                            "self": "http://h:8989/v1/servers/db-a/relationships/services/",
                            "related": "http://h:8989/v1/services/"
                        },
                        "data": [ { "id": "RW", "type": "services" } ]
                    }
                },
                "links": { "self": "http://h:8989/v1/servers/db-a/" }
            })
        );
    }

    #[test]
    fn a_resource_of_the_oldest_form() {
        let base = LinkBase::new("http", "h:8989", true);
        let value = server().to_value(&base, Form::Legacy);
        assert_eq!(value["links"]["self"], "http://h:8989/v1/servers/db-a");
        assert_eq!(
            value["relationships"]["services"]["links"],
            json!({ "self": "http://h:8989/v1/services/" })
        );
    }

    #[test]
    fn a_relationship_without_members_is_not_there() {
        let base = LinkBase::new("http", "h", false);
        let value = server().to_value(&base, Form::Current);
        assert!(value["relationships"].get("monitors").is_none());
        assert!(
            server()
                .relationship("monitors", &base, Form::Current)
                .is_none()
        );
        let lonely = Resource::new("filters", "filters", "f").relationships(Vec::new());
        assert_eq!(
            lonely.to_value(&base, Form::Current)["relationships"],
            json!({})
        );
    }

    #[test]
    fn errors_are_a_list() {
        assert_eq!(
            error_document(["a", "b"]),
            json!({ "errors": [ { "detail": "a" }, { "detail": "b" } ] })
        );
    }
}
