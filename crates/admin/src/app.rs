//! From a request to a reply: who may ask, what the path means, which conditions hold.
//!
//! The order is fixed: authenticate, authorise, check where the request comes from, find the
//! endpoint, check the conditions, act. Nothing is changed before all of that is settled.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header;
use tidegate_jsonapi::{Form, LinkBase};

use crate::auth::{Account, HostLists, Identity, Tokens, Users, Verdict};
use crate::condition::Changes;
use crate::config::AdminConfig;
use crate::documents::Look;
use crate::gathering::Gathering;
use crate::house::House;
use crate::login::{cookie, is_exchange, is_farewell};
use crate::lookup::Lookup;
use crate::reply::Reply;
use crate::request::{Method, Request};
use crate::route::Endpoint;

/// Everything that answering needs.
pub(crate) struct App {
    pub(crate) house: Arc<dyn House>,
    pub(crate) users: Arc<Users>,
    pub(crate) hosts: HostLists,
    pub(crate) tokens: Tokens,
    pub(crate) config: AdminConfig,
    pub(crate) authority: String,
    pub(crate) lookup: Lookup,
    pub(crate) changes: Changes,
    pub(crate) gathering: Gathering,
}

impl App {
    pub(crate) fn new(
        house: Arc<dyn House>,
        (users, hosts, tokens): (Arc<Users>, HostLists, Tokens),
        config: AdminConfig,
        authority: String,
    ) -> Self {
        Self {
            house,
            users,
            hosts,
            tokens,
            authority,
            lookup: Lookup::new(config.reverse_lookup),
            changes: Changes::since(SystemTime::now()),
            gathering: Gathering::default(),
            config,
        }
    }

    /// Lets the sender of a request in, or says why not. Needs no body, so that nobody unknown
    /// can make us hold one. `None` is somebody who asks for what everybody may have.
    pub(crate) async fn admit(&self, request: &Request) -> Result<Option<Identity>, Reply> {
        if request.segments.is_empty() && !request.versioned {
            return Ok(None);
        }
        if is_farewell(request) {
            return Ok(None);
        }
        let identity = self.authenticate(request).await?;
        let reads = request.method.as_ref().is_ok_and(|method| method.reads());
        if identity.account == Account::Basic && !reads {
            let detail = format!("{} may only read", identity.name);
            return Err(Reply::error(StatusCode::UNAUTHORIZED, detail));
        }
        if self.config.auth && !self.comes_from_allowed(request, reads).await {
            let detail = "this address is not among admin_readwrite_hosts and admin_readonly_hosts";
            return Err(self.unauthorised(request, &identity.name, detail));
        }
        Ok(Some(identity))
    }

    async fn authenticate(&self, request: &Request) -> Result<Identity, Reply> {
        if !self.config.auth {
            return Ok(Identity {
                name: "anonymous".into(),
                account: Account::Admin,
            });
        }
        let credentials = request.header(&header::AUTHORIZATION).unwrap_or_default();
        // A token cannot beget a token.
        if !is_exchange(request)
            && let Some(token) = presented_token(request)
        {
            return self.authenticate_token(request, token);
        }
        let Some((name, password)) = basic_credentials(credentials) else {
            return Err(self.unauthorised(request, "", "credentials are needed"));
        };
        match self.users.authenticate(&name, &password).await {
            Some(identity) => Ok(identity),
            None => Err(self.unauthorised(request, &name, "wrong user or password")),
        }
    }

    /// Somebody whose user is still there, with the rights that it has now.
    fn authenticate_token(&self, request: &Request, token: &str) -> Result<Identity, Reply> {
        let name = self.tokens.bearer(token, SystemTime::now());
        let name = name.ok_or_else(|| {
            let detail = "the token does not count: it is not ours, or has expired";
            self.unauthorised(request, "", detail)
        })?;
        match self.users.find(&name) {
            Some(user) => Ok(Identity {
                name: user.name,
                account: user.account,
            }),
            None => Err(self.unauthorised(request, &name, "the token's user is gone")),
        }
    }

    async fn comes_from_allowed(&self, request: &Request, reads: bool) -> bool {
        let verdict = match self.hosts.by_address(request.peer, reads) {
            Verdict::AskName => match self.lookup.name(request.peer).await {
                Some(name) => self.hosts.by_name(&name, reads),
                None => Verdict::Refused,
            },
            settled => settled,
        };
        verdict == Verdict::Allowed
    }

    /// Refuses with 401. A browser's script gets no `WWW-Authenticate`, nor does a bearer of a
    /// token: it would make the browser ask its user.
    fn unauthorised(&self, request: &Request, name: &str, detail: &str) -> Reply {
        let token = presented_token(request).is_some();
        let presented = token || request.headers.contains_key(header::AUTHORIZATION);
        if self.config.log_auth_failures && presented {
            let name: String = name
                .chars()
                .filter(|char| !char.is_control())
                .take(64)
                .collect();
            tracing::warn!(
                "REST interface: refused user '{name}' from {}: {detail}",
                request.peer
            );
        }
        let reply = Reply::error(StatusCode::UNAUTHORIZED, detail);
        if token || request.is_xhr() || is_exchange(request) {
            reply
        } else {
            reply.with(
                header::WWW_AUTHENTICATE,
                "Basic realm=\"tidegate\", charset=\"UTF-8\"",
            )
        }
    }

    /// Answers a request whose sender was let in.
    pub(crate) async fn answer(
        &self,
        request: &Request,
        who: Option<&Identity>,
        body: &[u8],
    ) -> Reply {
        let Some(endpoint) = Endpoint::of(&request.segments) else {
            return Reply::empty(StatusCode::NOT_FOUND);
        };
        let methods = endpoint.methods();
        let method = match &request.method {
            Ok(Method::Options) => return Reply::methods(StatusCode::OK, methods),
            Ok(method) if methods.contains(method) => *method,
            // It is the id of no session.
            Ok(_) if endpoint == Endpoint::RestartAll => {
                return Reply::missing("restart", "session");
            }
            _ => return Reply::methods(StatusCode::METHOD_NOT_ALLOWED, methods),
        };
        if endpoint == Endpoint::Auth {
            return self.exchange(request, who);
        }
        let outcome = if method.reads() {
            self.read(request, &endpoint).await
        } else {
            self.change(request, method, &endpoint, body).await
        };
        outcome.unwrap_or_else(|refusal| refusal)
    }

    /// How the documents of this request look.
    pub(crate) fn look(&self, request: &Request, endpoint: &Endpoint) -> Look {
        let seed_mode = self.house.seed_listeners().is_some();
        let of_sessions = matches!(
            endpoint,
            Endpoint::Sessions | Endpoint::Session(_) | Endpoint::SessionRelationship(..)
        );
        let form = match request.query.get("compat") {
            Some("2.2") => Form::Legacy,
            Some(_) => Form::Current,
            None if seed_mode && of_sessions => Form::Legacy,
            None => self.config.form,
        };
        let authority = request.authority().unwrap_or(&self.authority);
        Look {
            base: LinkBase::new("http", authority, request.versioned || seed_mode),
            form,
            zone: self.config.zone.clone(),
        }
    }
}

/// The token of a request: a bearer's, or, where there is no other login, a browser's.
fn presented_token(request: &Request) -> Option<&str> {
    let Some(credentials) = request.header(&header::AUTHORIZATION) else {
        return cookie(request);
    };
    let (scheme, token) = credentials.split_once(' ').unwrap_or((credentials, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// User and password of HTTP's basic authentication.
fn basic_credentials(credentials: &str) -> Option<(String, String)> {
    let (scheme, encoded) = credentials.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
