//! `/auth`: tokens in exchange for a password.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header;
use serde_json::json;

use crate::app::App;
use crate::auth::Identity;
use crate::reply::Reply;
use crate::request::Request;

/// The cookie that holds a browser's token.
const COOKIE: &str = "token_sig";

/// What a browser may do with the cookie: send it back here, and nothing else.
const ATTRIBUTES: &str = "Path=/; SameSite=Strict; HttpOnly";

/// How long a token counts if nobody asks for more or less.
const DEFAULT_AGE: Duration = Duration::from_secs(28_800);

/// The longest life that can be asked for, in seconds.
const LONGEST: u64 = 2_147_483_646;

impl App {
    /// The answer to whoever has logged in at `/auth`, or wants to be forgotten.
    pub(crate) fn exchange(&self, request: &Request, who: Option<&Identity>) -> Reply {
        if self.config.secure_gui {
            let detail = "tokens are given over HTTPS only; this is HTTP: switch admin_secure_gui off to have them all the same";
            return Reply::error(StatusCode::FORBIDDEN, detail);
        }
        let Some(who) = who else {
            let forgotten = format!("{COOKIE}=; {ATTRIBUTES}; Max-Age=0");
            return Reply::empty(StatusCode::NO_CONTENT).with(header::SET_COOKIE, &forgotten);
        };
        let wished = request
            .query
            .get("max-age")
            .and_then(|age| age.parse().ok());
        let wished = wished.filter(|age| (1..=LONGEST).contains(age));
        let age = wished.map_or(DEFAULT_AGE, Duration::from_secs);
        let token = self.tokens.issue(who, age, SystemTime::now());
        if request.query.switch("persist") != Some(true) {
            return Reply::document(json!({ "meta": { "token": token } }));
        }
        let mut cookie = format!("{COOKIE}={token}; {ATTRIBUTES}");
        if wished.is_some() {
            let age = age.min(self.config.tokens.max_age).as_secs();
            cookie.push_str(&format!("; Max-Age={age}"));
        }
        Reply::empty(StatusCode::NO_CONTENT).with(header::SET_COOKIE, &cookie)
    }
}

/// Does this ask for a token, or for its end?
pub(crate) fn is_exchange(request: &Request) -> bool {
    matches!(request.segments.as_slice(), [only] if only == "auth")
}

/// Does this ask to be forgotten?
pub(crate) fn is_farewell(request: &Request) -> bool {
    is_exchange(request) && request.query.switch("logout") == Some(true)
}

/// The token that a browser sends back.
pub(crate) fn cookie(request: &Request) -> Option<&str> {
    let cookies = request.header(&header::COOKIE)?.split(';');
    let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    let (_, token) = pairs.find(|(name, _)| *name == COOKIE)?;
    Some(token)
}
