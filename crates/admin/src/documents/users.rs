//! Administrative users; never a password, nor its hash.

use serde_json::json;
use tidegate_jsonapi::Resource;

use super::{Look, object};
use crate::auth::User;

pub(super) fn user(user: &User, look: &Look) -> Resource {
    Resource::new("users/inet", "inet", &user.name).attributes(object(json!({
        "name": user.name,
        "account": user.account.word(),
        "created": look.date(user.created),
        "last_update": look.date_or_null(user.last_update),
        "last_login": look.date_or_null(user.last_login),
    })))
}
