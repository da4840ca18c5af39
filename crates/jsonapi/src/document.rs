//! Resources, and the documents made of them.

use serde::ser::{Serialize, SerializeMap, Serializer};
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

/// One resource object. Its attributes are whatever serialises to a JSON object; where there are
/// thousands of a kind, a type of their own is much faster than a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource<A = Map<String, Value>> {
    kind: &'static str,
    id: String,
    path: String,
    attributes: A,
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
}

impl<A: Serialize> Resource<A> {
    /// With these attributes.
    #[must_use]
    pub fn attributes<B: Serialize>(self, attributes: B) -> Resource<B> {
        Resource {
            kind: self.kind,
            id: self.id,
            path: self.path,
            attributes,
            relationships: self.relationships,
            linked: self.linked,
        }
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

    /// The same with its attributes in a map. Attributes that are no object become none.
    pub fn plain(self) -> Resource {
        let attributes = match serde_json::to_value(&self.attributes) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        self.attributes(attributes)
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
        let mut present = self.present_relationships();
        let relationship = present.find(|relationship| relationship.name == name)?;
        let shown = ShownRelationship {
            relationship,
            owner: &self.path,
            base,
            form,
        };
        serde_json::to_value(shown).ok()
    }

    /// The resource object, to be serialised.
    pub fn shown<'a>(&'a self, base: &'a LinkBase, form: Form) -> impl Serialize + 'a {
        ShownResource {
            resource: self,
            base,
            form,
        }
    }

    /// The resource object.
    pub fn to_value(&self, base: &LinkBase, form: Form) -> Value {
        serde_json::to_value(self.shown(base, form)).unwrap_or_default()
    }

    /// The links object of the resource, also that of the document around it.
    pub fn links(&self, base: &LinkBase, form: Form) -> Value {
        json!({ "self": self.url(base, form) })
    }

    fn url(&self, base: &LinkBase, form: Form) -> String {
        match form {
            Form::Current => base.collection(&self.path),
            Form::Legacy => base.bare(&self.path),
        }
    }

    fn present_relationships(&self) -> impl Iterator<Item = &Relationship> {
        let all = self.relationships.iter().flatten();
        all.filter(|relationship| !relationship.ids.is_empty())
    }
}

struct ShownResource<'a, A> {
    resource: &'a Resource<A>,
    base: &'a LinkBase,
    form: Form,
}

impl<A: Serialize> Serialize for ShownResource<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let resource = self.resource;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("id", &resource.id)?;
        object.serialize_entry("type", resource.kind)?;
        object.serialize_entry("attributes", &resource.attributes)?;
        if resource.relationships.is_some() {
            object.serialize_entry("relationships", &ShownRelationships(self))?;
        }
        if resource.linked {
            let url = resource.url(self.base, self.form);
            object.serialize_entry("links", &Links(&url, None))?;
        }
        object.end()
    }
}

struct ShownRelationships<'a, A>(&'a ShownResource<'a, A>);

impl<A: Serialize> Serialize for ShownRelationships<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ShownResource {
            resource,
            base,
            form,
        } = *self.0;
        let members = resource.present_relationships().map(|relationship| {
            let shown = ShownRelationship {
                relationship,
                owner: &resource.path,
                base,
                form,
            };
            (relationship.name, shown)
        });
        serializer.collect_map(members)
    }
}

struct ShownRelationship<'a> {
    relationship: &'a Relationship,
    owner: &'a str,
    base: &'a LinkBase,
    form: Form,
}

impl Serialize for ShownRelationship<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.relationship.name;
        let related = self.base.collection(name);
        let own = format!("{}/relationships/{name}", self.owner);
        let own = self.base.collection(&own);
        let mut object = serializer.serialize_map(Some(2))?;
        match self.form {
            Form::Current => object.serialize_entry("links", &Links(&own, Some(&related)))?,
            Form::Legacy => object.serialize_entry("links", &Links(&related, None))?,
        }
        object.serialize_entry("data", &References(self.relationship))?;
        object.end()
    }
}

/// A links object: `self` and perhaps `related`.
struct Links<'a>(&'a str, Option<&'a str>);

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(own, related) = self;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("self", own)?;
        if let Some(related) = related {
            object.serialize_entry("related", related)?;
        }
        object.end()
    }
}

/// The list of members of a relationship.
struct References<'a>(&'a Relationship);

impl Serialize for References<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids = self.0.ids.iter();
        serializer.collect_seq(ids.map(|id| Reference(id, self.0.name)))
    }
}

/// One member: its id and its type.
struct Reference<'a>(&'a str, &'static str);

impl Serialize for Reference<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(2))?;
        object.serialize_entry("id", self.0)?;
        object.serialize_entry("type", self.1)?;
        object.end()
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
