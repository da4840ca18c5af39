//! The list of sessions: a page or all of them, rendered while it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header;
use serde_json::Value;
use tidegate_jsonapi::{CollectionRenderer, Fields, Filter, Page};
use tokio::task::yield_now;

use crate::app::App;
use crate::condition::evaluate;
use crate::documents::{Look, listener_session, session};
use crate::gathering::sorted;
use crate::house::Which;
use crate::read::{paginate, wants_indentation, wants_names};
use crate::reply::{Content, Reply};
use crate::request::Request;
use crate::route::Endpoint;
use crate::time::http_date;
use crate::views::{SeedListener, SessionView};

/// Rows rendered or filtered before others get a turn.
const ROWS_A_TURN: usize = 32;

impl App {
    /// Sessions have no entity tag: only the page that is asked for is gathered and rendered.
    pub(crate) async fn list_sessions(
        &self,
        request: &Request,
        endpoint: &Endpoint,
    ) -> Result<Reply, Reply> {
        let filter = Filter::of(&request.query)?;
        let modified = self.changes.last(&request.segments);
        if let Some(status) = evaluate(request, None, modified) {
            return Ok(Reply::empty(status));
        }
        let look = self.look(request, endpoint);
        let (mut rows, total) = match Page::of(&request.query) {
            Some(page) if filter.is_empty() => self.session_page(page, look.clone()).await?,
            _ => (self.all_sessions(look.clone()).await?, None),
        };
        if wants_names(request) {
            let addresses: BTreeSet<_> = rows.addresses().collect();
            rows.name_hosts(self.lookup.names(addresses).await);
        }
        let mut order = rows.passing(&filter).await;
        let (links, meta, range) =
            paginate(request, &look, "sessions", total.unwrap_or(order.len()));
        if total.is_none() {
            order = order.drain(range).collect();
        }
        let fields = Fields::of(&request.query, "sessions");
        let pretty = wants_indentation(request);
        let list = SessionRows::new(rows, order, fields, &links, meta, pretty);
        Ok(Reply {
            content: Content::Sessions(Box::new(list)),
            ..Reply::empty(StatusCode::OK)
        }
        .with(header::LAST_MODIFIED, &http_date(modified)))
    }

    async fn all_sessions(&self, look: Look) -> Result<Rows, Reply> {
        let gather = async || self.house.sessions(Which::All).await;
        let views = self.gathering.all(gather).await;
        let views = views?;
        let listeners = self.house.seed_listeners().unwrap_or_default();
        Ok(Rows::new(listeners, views, look))
    }

    /// The rows of one page, and how many there are in all.
    async fn session_page(&self, page: Page, look: Look) -> Result<(Rows, Option<usize>), Reply> {
        let mut ids = self.house.session_ids().await?;
        ids.sort_unstable();
        let listeners = self.house.seed_listeners().unwrap_or_default();
        let total = listeners.len() + ids.len();
        let range = page.range(total);
        let count = range.len();
        let (first, listed) = (range.start, listeners.len());
        let listeners: Vec<SeedListener> = listeners.into_iter().skip(first).take(count).collect();
        let ids: Vec<u64> = ids
            .into_iter()
            .skip(first.saturating_sub(listed))
            .take(count - listeners.len())
            .collect();
        let views: Vec<SessionView> = if ids.is_empty() {
            Vec::new()
        } else {
            let found = self.house.sessions(Which::Ids(ids)).await;
            found?
        };
        Ok((Rows::of_page(listeners, views, look), Some(total)))
    }
}

/// Sessions to be listed: first the listeners that count as such, then the clients'.
pub(crate) struct Rows {
    listeners: Vec<SeedListener>,
    views: Arc<Vec<SessionView>>,
    hosts: BTreeMap<IpAddr, String>,
    look: Look,
}

impl Rows {
    pub(crate) fn new(
        listeners: Vec<SeedListener>,
        views: Arc<Vec<SessionView>>,
        look: Look,
    ) -> Self {
        Self {
            listeners,
            views,
            hosts: BTreeMap::new(),
            look,
        }
    }

    /// Views that were asked for by id.
    pub(crate) fn of_page(
        listeners: Vec<SeedListener>,
        views: Vec<SessionView>,
        look: Look,
    ) -> Self {
        Self::new(listeners, sorted(views), look)
    }

    /// The addresses of all clients.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.views.iter().filter_map(|view| view.remote)
    }

    /// With the names of the clients' addresses.
    pub(crate) fn name_hosts(&mut self, hosts: BTreeMap<IpAddr, String>) {
        self.hosts = hosts;
    }

    pub(crate) fn len(&self) -> usize {
        self.listeners.len() + self.views.len()
    }

    /// The numbers of the rows that pass. Other tasks get their turn meanwhile.
    pub(crate) async fn passing(&self, filter: &Filter) -> Vec<usize> {
        if filter.is_empty() {
            return (0..self.len()).collect();
        }
        let mut passing = Vec::new();
        for number in 0..self.len() {
            if number % ROWS_A_TURN == 0 {
                yield_now().await;
            }
            if self.row(number).is_some_and(|row| filter.passes(&row)) {
                passing.push(number);
            }
        }
        passing
    }

    fn row(&self, number: usize) -> Option<Value> {
        let Look { base, form, .. } = &self.look;
        match self.get(number)? {
            Row::Listener(listener) => {
                Some(listener_session(listener, &self.look).to_value(base, *form))
            }
            Row::Client(view, host) => Some(session(view, host, &self.look).to_value(base, *form)),
        }
    }

    /// Renders a row as it is, which is several times faster than by way of a [`Value`].
    fn render(&self, number: usize, renderer: &mut CollectionRenderer, out: &mut Vec<u8>) {
        let Look { base, form, .. } = &self.look;
        match self.get(number) {
            Some(Row::Listener(listener)) => {
                renderer.row(
                    &listener_session(listener, &self.look).shown(base, *form),
                    out,
                );
            }
            Some(Row::Client(view, host)) => {
                renderer.row(&session(view, host, &self.look).shown(base, *form), out);
            }
            None => {}
        }
    }

    fn get(&self, number: usize) -> Option<Row<'_>> {
        match number.checked_sub(self.listeners.len()) {
            None => self.listeners.get(number).map(Row::Listener),
            Some(client) => {
                let view = self.views.get(client)?;
                let host = view.remote.and_then(|address| self.hosts.get(&address));
                Some(Row::Client(view, host.map(String::as_str)))
            }
        }
    }
}

enum Row<'a> {
    Listener(&'a SeedListener),
    /// With the name of its address, if it is known.
    Client(&'a SessionView, Option<&'a str>),
}

/// A list of sessions as a sequence of pieces of text.
pub(crate) struct SessionRows {
    rows: Rows,
    order: std::vec::IntoIter<usize>,
    fields: Fields,
    meta: Option<Value>,
    head: Vec<u8>,
    renderer: Option<CollectionRenderer>,
}

impl SessionRows {
    /// The document with the rows of these numbers, in this order.
    pub(crate) fn new(
        rows: Rows,
        order: Vec<usize>,
        fields: Fields,
        links: &Value,
        meta: Option<Value>,
        pretty: bool,
    ) -> Self {
        let mut head = Vec::new();
        let renderer = CollectionRenderer::start(links, pretty, &mut head);
        Self {
            rows,
            order: order.into_iter(),
            fields,
            meta,
            head,
            renderer: Some(renderer),
        }
    }
}

impl Iterator for SessionRows {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut renderer = self.renderer.take()?;
        let mut piece = std::mem::take(&mut self.head);
        for number in self.order.by_ref().take(ROWS_A_TURN) {
            if self.fields.is_all() {
                self.rows.render(number, &mut renderer, &mut piece);
            } else if let Some(mut row) = self.rows.row(number) {
                self.fields.apply(&mut row);
                renderer.row(&row, &mut piece);
            }
        }
        if self.order.len() == 0 {
            renderer.finish(self.meta.as_ref(), &mut piece);
        } else {
            self.renderer = Some(renderer);
        }
        Some(piece)
    }
}
