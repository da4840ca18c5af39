//! Connections that were logged in with the service's account and then turn into the client's
//! (`use_service_credentials`): SET SESSION AUTHORIZATION, and its default database.
//!
//! Whoever proved to us who it is gets in wherever the service does, by whatever plugin, and servers know
//! where it is. They check nothing of its account any more: whoever answers questions about accounts says
//! of whom that may be done ([`ServiceLogin`]).
//!
//! The invariant: nothing of the client's, nor of the session's settings, is sent on such a connection
//! before the statement that turns it has succeeded; and if it fails, the connection is given up.
//!
//! Left out: telling the client's character set anew. What a MariaDB 12 keeps of it nobody has measured here.

use std::sync::Arc;

use tidegate_wire::{Command, ErrPacket};

use crate::backend::{Backend, Owed, OwedTo};
use crate::fault::SessionFault;
use crate::ids::BackendId;
use crate::question::ServiceLogin;
use crate::session::{Cx, Session};
use crate::ticket::{Then, Ticket};
use crate::world::ServerView;

/// Whom a connection turns into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guise {
    /// In the words of SET SESSION AUTHORIZATION.
    name: Arc<str>,
    /// A COM_CHANGE_USER of the client's is over when it has.
    for_client: bool,
}

impl Guise {
    pub(crate) fn of(name: Arc<str>) -> Guise {
        Guise {
            name,
            for_client: false,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Backend {
    /// Is a COM_CHANGE_USER of the client's waiting until it has turned?
    pub(crate) fn turns_for_client(&self) -> bool {
        self.guise.as_ref().is_some_and(|guise| guise.for_client)
    }

    /// Is it still the service's?
    pub(crate) fn owes_guise(&self) -> bool {
        self.owed.iter().any(|owed| owed.to == OwedTo::Guise)
    }
}

impl Session {
    /// The account to log in with to this server in place of the client's.
    pub(crate) fn service_login(&self, view: Option<&ServerView>) -> Option<&ServiceLogin> {
        let who = self.client.identity.as_ref()?;
        // Whoever is somebody else to servers has another password there.
        let service = who
            .as_service
            .as_deref()
            .filter(|_| who.at_servers.is_none())?;
        view.is_some_and(ServerView::lets_service_in)
            .then_some(service)
    }

    /// Whom a connection to this server turns into.
    pub(crate) fn guise(&self, view: Option<&ServerView>) -> Option<Guise> {
        let service = self.service_login(view)?;
        Some(Guise::of(Arc::clone(&service.becomes)))
    }

    /// Turns a connection into the client's, if it is the service's. `for_client`: a COM_CHANGE_USER
    /// waits for it.
    pub(crate) fn turn_into_client(
        &mut self,
        id: BackendId,
        for_client: bool,
        cx: &mut Cx<'_>,
    ) -> bool {
        let schema = self.client.database.clone();
        let Some(backend) = self.backend_mut(id) else {
            return false;
        };
        let Some(guise) = &mut backend.guise else {
            return false;
        };
        guise.for_client = for_client;
        let statement = format!("SET SESSION AUTHORIZATION {}", guise.name);
        send(backend, id, Command::Query, statement.as_bytes(), cx);
        let schema = backend.login_schema.clone().or(schema);
        if let Some(schema) = schema.filter(|schema| !schema.is_empty()) {
            send(backend, id, Command::InitDb, &schema, cx);
        }
        true
    }

    /// Do connections turn again when this command is answered? What is sent behind it must wait for that.
    pub(crate) fn turns_behind(&self, newest: &Ticket) -> bool {
        let turns = |backend: &Backend| backend.guise.is_some();
        matches!(newest.then, Then::Reset) && self.backends.iter().any(turns)
    }

    /// A command of those that turn a connection was answered.
    pub(crate) fn turned(&mut self, id: BackendId, ok: bool, last: &[u8], cx: &mut Cx<'_>) {
        if !ok {
            let server = self.server_name(id, cx);
            let fault = match ErrPacket::parse(last) {
                Ok(error) => SessionFault::ServerLogin {
                    server,
                    code: error.code,
                    sqlstate: error.sqlstate,
                    text: String::from_utf8_lossy(error.message).into_owned(),
                },
                Err(error) => SessionFault::ServerProtocol {
                    server,
                    reason: error.to_string(),
                },
            };
            return self.lose(id, fault, true, cx);
        }
        let Some(backend) = self.backend_mut(id).filter(|backend| !backend.owes_guise()) else {
            return;
        };
        let for_client = match &mut backend.guise {
            Some(guise) => std::mem::take(&mut guise.for_client),
            None => false,
        };
        self.furnish(id, for_client, cx);
        self.moved = true;
    }
}

fn send(backend: &mut Backend, id: BackendId, command: Command, text: &[u8], cx: &mut Cx<'_>) {
    let payload = [&[command.byte()], text].concat();
    let owed = Owed::to(OwedTo::Guise);
    backend.tell(id, command.reply_shape(), &payload, owed, cx);
}
