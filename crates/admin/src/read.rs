//! Answers to GET and HEAD.

use hyper::StatusCode;
use hyper::header;
use serde_json::{Map, Value, json};
use tidegate_jsonapi::{Fields, Filter, Page, Resource, collection, etag, single};

use crate::app::App;
use crate::condition::evaluate;
use crate::documents::{Look, Snapshot};
use crate::house::Which;
use crate::reply::Reply;
use crate::request::Request;
use crate::route::{Collection, Endpoint};
use crate::time::http_date;
use crate::views::ListenerView;

/// What a path stands for at this moment.
pub(crate) struct Target {
    snapshot: Snapshot,
    shape: Shape,
    /// What the document says of the whole, besides the number of its rows.
    meta: Map<String, Value>,
}

enum Shape {
    One,
    /// A collection, and the path of its own link.
    Many(String),
    /// One of its relationships.
    Relationship(&'static str),
}

impl Target {
    pub(crate) fn one(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            shape: Shape::One,
            meta: Map::new(),
        }
    }

    pub(crate) fn many(snapshot: Snapshot) -> Self {
        let path = snapshot.path().to_owned();
        Self {
            snapshot,
            shape: Shape::Many(path),
            meta: Map::new(),
        }
    }

    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.shape = Shape::Many(path.into());
        self
    }

    pub(crate) fn with_meta(mut self, meta: Map<String, Value>) -> Self {
        self.meta = meta;
        self
    }

    fn relationship(mut self, name: &'static str) -> Self {
        self.shape = Shape::Relationship(name);
        self
    }

    /// The entity tag: of the whole, however the client wants to see it.
    pub(crate) fn etag(&self) -> String {
        let look = Look::canonical();
        let resources = self.snapshot.resources(&look);
        let value = match self.shape {
            Shape::Relationship(name) => relationship(&resources, name, &look),
            Shape::One | Shape::Many(_) => Some(values(&resources, &look).into()),
        };
        etag(&value.unwrap_or_default())
    }
}

fn values(resources: &[Resource], look: &Look) -> Vec<Value> {
    resources
        .iter()
        .map(|resource| resource.to_value(&look.base, look.form))
        .collect()
}

fn relationship(resources: &[Resource], name: &str, look: &Look) -> Option<Value> {
    resources.first()?.relationship(name, &look.base, look.form)
}

impl App {
    /// The reply to a reading request; `Err` is one that tells what is wrong.
    pub(crate) async fn read(
        &self,
        request: &Request,
        endpoint: &Endpoint,
    ) -> Result<Reply, Reply> {
        match endpoint {
            Endpoint::Root => Ok(Reply::empty(StatusCode::OK)),
            Endpoint::Sessions => self.list_sessions(request, endpoint).await,
            Endpoint::Route(service) => self.explain_query(request, endpoint, service),
            _ => {
                let target = self.target(request, endpoint).await?;
                self.show(request, endpoint, &target)
            }
        }
    }

    fn show(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        target: &Target,
    ) -> Result<Reply, Reply> {
        let tag = target.etag();
        let modified = self.changes.last(&request.segments);
        let reply = match evaluate(request, Some(&tag), modified) {
            Some(status) => Reply::empty(status),
            None => Reply::document(self.document(request, endpoint, target)?),
        };
        Ok(reply
            .with(header::ETAG, &tag)
            .with(header::LAST_MODIFIED, &http_date(modified)))
    }

    fn document(
        &self,
        request: &Request,
        endpoint: &Endpoint,
        target: &Target,
    ) -> Result<Value, Reply> {
        let look = self.look(request, endpoint);
        let resources = target.snapshot.resources(&look);
        let fields = Fields::of(&request.query, target.snapshot.kind());
        match &target.shape {
            Shape::Relationship(name) => relationship(&resources, name, &look).ok_or_else(|| {
                Reply::error(
                    StatusCode::NOT_FOUND,
                    format!("there are no {name} in relation"),
                )
            }),
            Shape::One => {
                let resource = resources
                    .first()
                    .ok_or_else(|| Reply::empty(StatusCode::NOT_FOUND))?;
                let mut data = resource.to_value(&look.base, look.form);
                fields.apply(&mut data);
                Ok(single(resource.links(&look.base, look.form), data))
            }
            Shape::Many(path) => {
                let filter = Filter::of(&request.query)?;
                let mut rows = values(&resources, &look);
                rows.retain(|row| filter.passes(row));
                let (links, meta, range) = paginate(request, &look, path, rows.len());
                let mut rows: Vec<Value> = rows.drain(range).collect();
                rows.iter_mut().for_each(|row| fields.apply(row));
                Ok(collection(links, rows, with_meta(meta, &target.meta)))
            }
        }
    }

    /// What a path stands for; `Err` is the 404 that says what is missing.
    pub(crate) async fn target(
        &self,
        request: &Request,
        endpoint: &Endpoint,
    ) -> Result<Target, Reply> {
        match endpoint {
            Endpoint::List(collection) => Ok(Target::many(self.objects(*collection))),
            Endpoint::Object(collection, name) => self.object(*collection, name),
            Endpoint::Relationship(collection, name, other) => self
                .object(*collection, name)
                .map(|target| target.relationship(other)),
            Endpoint::ServerState(name, _) => self.object(Collection::Servers, name),
            Endpoint::Switch(what, name, _) => self.object(Collection::of_switchable(*what), name),
            Endpoint::Reload(name) | Endpoint::Route(name) => {
                self.object(Collection::Services, name)
            }
            Endpoint::PositionReset => {
                let service = request.query.arguments().next().unwrap_or_default();
                self.object(Collection::Services, service)
            }
            Endpoint::Digests(service) | Endpoint::DigestsReset(service) => {
                self.digests(request, service).await
            }
            Endpoint::Digest(service, id) => self.digest(service, id).await,
            Endpoint::ListenersOf(service) => self.listeners_of(service).map(|listeners| {
                Target::many(Snapshot::Listeners(listeners))
                    .at(format!("services/{service}/listeners"))
            }),
            Endpoint::ListenerOf(service, name) => self.listener_of(service, name),
            Endpoint::Session(id) | Endpoint::Restart(id) => self.session(request, id).await,
            Endpoint::SessionRelationship(id, name) => self
                .session(request, id)
                .await
                .map(|target| target.relationship(name)),
            Endpoint::MaxScale | Endpoint::LogsFlush => Ok(Target::one(Snapshot::MaxScale(
                Box::new(self.house.maxscale()),
            ))),
            Endpoint::Threads => self.threads().await.map(Target::many),
            Endpoint::Thread(id) => self.thread(id).await,
            Endpoint::Users => Ok(Target::many(Snapshot::Users(self.users.all()))),
            Endpoint::User(name) => match self.users.find(name) {
                Some(user) => Ok(Target::one(Snapshot::Users(vec![user]))),
                None => Err(Reply::missing(name, "inetuser")),
            },
            Endpoint::UnixUsers => Ok(Target::many(Snapshot::Users(vec![])).at("users/unix")),
            Endpoint::Root
            | Endpoint::Auth
            | Endpoint::Asterisk
            | Endpoint::Sessions
            | Endpoint::RestartAll => Err(Reply::empty(StatusCode::NOT_FOUND)),
        }
    }

    fn objects(&self, collection: Collection) -> Snapshot {
        match collection {
            Collection::Servers => Snapshot::Servers(self.house.servers()),
            Collection::Services => Snapshot::Services(self.house.services()),
            Collection::Listeners => {
                let services = self.house.services();
                let listeners = services.into_iter().flat_map(|service| service.listeners);
                Snapshot::Listeners(listeners.collect())
            }
            Collection::Monitors => Snapshot::Monitors(self.house.monitors()),
            Collection::Filters => Snapshot::Filters(self.house.filters()),
        }
    }

    fn object(&self, collection: Collection, name: &str) -> Result<Target, Reply> {
        let mut snapshot = self.objects(collection);
        let found = match &mut snapshot {
            Snapshot::Servers(views) => keep(views, |view| view.name == name),
            Snapshot::Services(views) => keep(views, |view| view.name == name),
            Snapshot::Listeners(views) => keep(views, |view| view.name == name),
            Snapshot::Monitors(views) => keep(views, |view| view.name == name),
            Snapshot::Filters(views) => keep(views, |view| view.name == name),
            _ => false,
        };
        if found {
            Ok(Target::one(snapshot))
        } else {
            Err(Reply::missing(name, collection.singular()))
        }
    }

    fn listeners_of(&self, service: &str) -> Result<Vec<ListenerView>, Reply> {
        self.house
            .services()
            .into_iter()
            .find(|view| view.name == service)
            .map(|view| view.listeners)
            .ok_or_else(|| Reply::missing(service, Collection::Services.singular()))
    }

    fn listener_of(&self, service: &str, name: &str) -> Result<Target, Reply> {
        let mut listeners = self.listeners_of(service)?;
        if keep(&mut listeners, |view| view.name == name) {
            Ok(Target::one(Snapshot::Listeners(listeners)))
        } else {
            let word = format!("listener of {service}");
            Err(Reply::missing(name, &word))
        }
    }

    async fn threads(&self) -> Result<Snapshot, Reply> {
        let threads = self.house.threads().await?;
        Ok(Snapshot::Threads(threads))
    }

    async fn thread(&self, id: &str) -> Result<Target, Reply> {
        let mut threads = self.house.threads().await?;
        if keep(&mut threads, |view| view.id.to_string() == id) {
            Ok(Target::one(Snapshot::Threads(threads)))
        } else {
            Err(Reply::missing(id, "thread"))
        }
    }

    async fn session(&self, request: &Request, text: &str) -> Result<Target, Reply> {
        let id = session_id(text)?;
        let listeners = self.house.seed_listeners().unwrap_or_default();
        if let Some(listener) = listeners.into_iter().find(|listener| listener.id == id) {
            return Ok(Target::one(Snapshot::ListenerSession(listener)));
        }
        let found = self.house.sessions(Which::Ids(vec![id])).await;
        let Some(view) = found?.pop() else {
            return Err(Reply::missing(text, "session"));
        };
        let host = match view.remote {
            Some(address) if wants_names(request) => self.lookup.name(address).await,
            _ => None,
        };
        Ok(Target::one(Snapshot::Session(Box::new(view), host)))
    }
}

/// The links and the meta of a collection of `total` rows, and which rows to show.
pub(crate) fn paginate(
    request: &Request,
    look: &Look,
    path: &str,
    total: usize,
) -> (Value, Option<Value>, std::ops::Range<usize>) {
    let url = look.base.collection(path);
    let mut links = json!({ "self": url });
    match Page::of(&request.query) {
        Some(page) => {
            page.add_links(&mut links, &url, &request.query, total);
            (links, Some(Page::meta(total)), page.range(total))
        }
        None => (links, None, 0..total),
    }
}

/// Both together; `None` if there is nothing to say.
fn with_meta(meta: Option<Value>, more: &Map<String, Value>) -> Option<Value> {
    if more.is_empty() {
        return meta;
    }
    let mut whole = more.clone();
    if let Some(Value::Object(members)) = meta {
        whole.extend(members);
    }
    Some(whole.into())
}

pub(crate) fn wants_names(request: &Request) -> bool {
    request.query.switch("rdns") == Some(true)
}

/// Documents are indented unless the client says otherwise.
pub(crate) fn wants_indentation(request: &Request) -> bool {
    request.query.switch("pretty") != Some(false)
}

/// A session's id: digits alone, and not zero.
pub(crate) fn session_id(text: &str) -> Result<u64, Reply> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(id) if digits && id > 0 => Ok(id),
        _ => Err(Reply::missing(text, "session")),
    }
}

/// Keeps only what is looked for; whether there was any.
fn keep<T>(views: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> bool {
    views.retain(is_it);
    !views.is_empty()
}
