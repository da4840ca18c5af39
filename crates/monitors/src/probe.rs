//! The monitor's connection to one server: kept from tick to tick, made anew when it broke.
//!
//! The invariant: an observation takes no longer than its timeouts allow, and whatever went wrong
//! is an [`Observation`], never an error.

use std::collections::BTreeSet;

use tidegate_sqlclient::{Client, ConnectOptions, Error};

use crate::mariadbmon::{AskError, ContactError, ContactFailure, Note, Observation, ask};
use crate::settings::{MonitorSettings, MonitoredServer};

/// Errors by which a server ends a connection or a statement for reasons of its own: shutdown,
/// statement killed, connection killed.
const INTERRUPTED: [u16; 3] = [1053, 1317, 1927];

/// One server's observer.
#[derive(Debug)]
pub(crate) struct Probe {
    server: MonitoredServer,
    options: ConnectOptions,
    attempts: u32,
    retries: u32,
    variables: BTreeSet<String>,
    client: Option<Client>,
    extra_port_failed: bool,
}

impl Probe {
    pub(crate) fn new(server: &MonitoredServer, settings: &MonitorSettings) -> Self {
        Self {
            options: server.connect_options(settings),
            server: server.clone(),
            attempts: settings.connect_attempts.max(1),
            retries: settings.query_retries,
            variables: settings.tracked_variables.clone(),
            client: None,
            extra_port_failed: false,
        }
    }

    /// The connection, if there is one, so that it can be closed in good manners.
    pub(crate) fn into_client(self) -> Option<Client> {
        self.client
    }

    /// Asks the server everything. An interrupted round is begun again over a new connection.
    ///
    /// # Cancel safety
    /// May be dropped: the connection is then made anew the next time.
    pub(crate) async fn observe(&mut self) -> (Observation, Option<Note>) {
        let mut note = None;
        let mut retries = self.retries;
        loop {
            let mut client = match self.contact(&mut note).await {
                Ok(client) => client,
                Err(error) => return (lost(&error), note),
            };
            match ask(&mut client, &self.variables).await {
                Ok(facts) => {
                    self.client = Some(client);
                    return (Observation::Answered(Box::new(facts)), note);
                }
                // The next tick connects anew, so that privileges given meanwhile count.
                Err(AskError::Client(error)) if is_refusal(&error) => {
                    return (Observation::NotPermitted(error.to_string()), note);
                }
                Err(AskError::Client(error)) if retries == 0 || error.is_timeout() => {
                    return (lost(&error), note);
                }
                Err(AskError::Client(_)) => retries -= 1,
                Err(error @ AskError::Unreadable { .. }) => {
                    let kind = ContactFailure::Other;
                    let text = error.to_string();
                    return (Observation::Lost(ContactError { kind, text }), note);
                }
            }
        }
    }

    /// The kept connection if it still answers, else a new one.
    async fn contact(&mut self, note: &mut Option<Note>) -> Result<Client, Error> {
        if let Some(mut kept) = self.client.take().filter(Client::is_usable)
            && kept.ping().await.is_ok()
        {
            return Ok(kept);
        }
        self.connect(note).await
    }

    async fn connect(&mut self, note: &mut Option<Note>) -> Result<Client, Error> {
        let mut last = self.connect_once(note).await;
        for _ in 1..self.attempts {
            if last.is_ok() {
                break;
            }
            last = self.connect_once(note).await;
        }
        last
    }

    /// Tries the extra port first, where there is one.
    async fn connect_once(&mut self, note: &mut Option<Note>) -> Result<Client, Error> {
        self.options.tls = self.server.tls.now();
        if let Some(address) = self.server.extra_address() {
            let mut options = self.options.clone();
            options.address = address;
            match Client::connect(&options).await {
                Ok(client) => {
                    self.extra_port_failed = false;
                    return Ok(client);
                }
                Err(error) if error.is_access_denied() => return Err(error),
                Err(error) => {
                    if !std::mem::replace(&mut self.extra_port_failed, true) {
                        *note = Some(Note::ExtraPortFailed {
                            server: self.server.name.clone(),
                            error: error.to_string(),
                        });
                    }
                }
            }
        }
        Client::connect(&self.options).await
    }
}

/// Did the server understand the question and decline it?
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Server { errno, .. } if !INTERRUPTED.contains(errno))
}

fn lost(error: &Error) -> Observation {
    let kind = match error {
        Error::TimedOut { .. } => ContactFailure::TimedOut,
        Error::Refused { .. } if error.is_access_denied() => ContactFailure::AccessDenied,
        Error::Connect { .. } => ContactFailure::Refused,
        Error::Io(_) | Error::Server { .. } | Error::Unusable => ContactFailure::Broken,
        Error::Resolve { .. }
        | Error::Tls(_)
        | Error::Refused { .. }
        | Error::Login(_)
        | Error::Wire(_)
        | Error::Unexpected { .. }
        | Error::NotAServer
        | Error::TooLarge { .. } => ContactFailure::Other,
    };
    Observation::Lost(ContactError {
        kind,
        text: error.to_string(),
    })
}
