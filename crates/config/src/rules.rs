//! What must hold between the parameters of one object of the core.

use crate::authentication::Authentication;
use crate::check::Checked;
use crate::object::ObjectKind;
use crate::params::{
    JwtAlgorithm, KeyManager, KeyParams, ListenerParams, MaxScaleParams, ServerParams,
};
use crate::problem::Fault;
use crate::report::{Report, Spot};
use crate::suggest::nearest;

/// Checks the core's rules for one object.
pub(crate) fn check(object: &Checked, report: &mut Report) {
    match object.kind {
        ObjectKind::MaxScale => globals(object, report),
        ObjectKind::Server => server(object, report),
        ObjectKind::Listener => listener(object, report),
        ObjectKind::Monitor => monitor(object, report),
        ObjectKind::Service | ObjectKind::Filter | ObjectKind::Include => {}
    }
}

fn refuse(object: &Checked, parameter: &str, text: impl Into<String>, report: &mut Report) {
    report.error(&object.spot(parameter), Fault::Rule(text.into()));
}

fn missing(object: &Checked, name: &str, hint: &'static str, report: &mut Report) {
    let fault = Fault::Missing {
        name: name.to_owned(),
        hint,
    };
    report.error(&Spot::section(&object.place, &object.name), fault);
}

fn only_one(object: &Checked, names: [&'static str; 2], report: &mut Report) {
    let fault = Fault::OnlyOne {
        names: names.into(),
    };
    report.error(&object.spot(names[1]), fault);
}

fn server(object: &Checked, report: &mut Report) {
    let params: ServerParams = object.params();
    if object.is_sound(&["address", "socket"]) {
        server_address(object, &params, report);
    }
    match (&params.monitoruser, &params.monitorpw) {
        _ if !object.is_sound(&["monitoruser", "monitorpw"]) => {}
        (Some(_), None) => missing(object, "monitorpw", "it belongs to monitoruser", report),
        (None, Some(_)) => missing(object, "monitoruser", "it belongs to monitorpw", report),
        _ => {}
    }
}

fn server_address(object: &Checked, params: &ServerParams, report: &mut Report) {
    match (&params.address, &params.socket) {
        (Some(_), Some(_)) => only_one(object, ["address", "socket"], report),
        (None, None) if !object.is_written("address") && !object.is_written("socket") => {
            missing(
                object,
                "address",
                "a server may also have a socket instead",
                report,
            );
        }
        (None, None) => refuse(
            object,
            "address",
            "it is empty; give an address or a socket",
            report,
        ),
        (Some(address), None) if address.starts_with('/') => {
            refuse(
                object,
                "address",
                "this is a path; give it as socket",
                report,
            );
        }
        (None, Some(socket)) if !socket.starts_with('/') => {
            refuse(object, "socket", "the path must be absolute", report);
        }
        _ => {}
    }
}

fn listener(object: &Checked, report: &mut Report) {
    let params: ListenerParams = object.params();
    let silent = object.module.is_some_and(|module| !module.opens_socket);
    if !silent && let Err(errors) = Authentication::of(&params) {
        for (parameter, text) in errors {
            refuse(object, parameter, text, report);
        }
    }
    let named = |entry: &String| {
        entry
            .split_once('=')
            .is_some_and(|(name, _)| !name.trim().is_empty())
    };
    if let Some(entry) = params.connection_metadata.iter().find(|it| !named(it)) {
        let text = format!("'{entry}' is not of the form name=value");
        refuse(object, "connection_metadata", text, report);
    }
    if let Some(url) = &params.redirect_url
        && !is_redirect(url)
    {
        let text =
            format!("'{url}' is not of the form mariadb://host[:port] or mysql://host[:port]");
        refuse(object, "redirect_url", text, report);
    }
    if silent || !object.is_sound(&["port", "socket"]) {
        return;
    }
    match (params.port, &params.socket) {
        (0, None) if !object.is_written("port") => {
            missing(
                object,
                "port",
                "a listener may also have a socket instead",
                report,
            );
        }
        (0, None) => refuse(
            object,
            "port",
            "it must be 1 or more, or a socket must be given",
            report,
        ),
        (0, Some(socket)) if !socket.starts_with('/') => {
            refuse(object, "socket", "the path must be absolute", report);
        }
        (0, Some(_)) | (_, None) => {}
        (_, Some(_)) => only_one(object, ["port", "socket"], report),
    }
}

/// Can clients be sent there?
fn is_redirect(url: &str) -> bool {
    let rest = url
        .strip_prefix("mariadb://")
        .or_else(|| url.strip_prefix("mysql://"));
    let Some(rest) = rest else {
        return false;
    };
    let place = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            if port.parse::<u16>().is_err() {
                return false;
            }
            host
        }
        _ => place,
    };
    !host.is_empty()
}

fn monitor(object: &Checked, report: &mut Report) {
    if !object.is_written("servers") {
        let fault = Fault::Unused("the monitor has no servers");
        report.warning(&Spot::section(&object.place, &object.name), fault);
    }
}

fn globals(object: &Checked, report: &mut Report) {
    let params: MaxScaleParams = object.params();
    let (high, low) = (
        params.statements.writeq_high_water,
        params.statements.writeq_low_water,
    );
    let sound = object.is_sound(&["writeq_high_water", "writeq_low_water"]);
    if sound && high.0 != 0 && low >= high {
        let text = format!("it must be less than writeq_high_water, {high}");
        refuse(object, "writeq_low_water", text, report);
    }
    key_manager(object, &params.keys, report);
    tokens(object, &params, report);
    auto_tune(object, &params.threads.auto_tune, report);
    debug_options(object, params.process.debug.as_deref(), report);
}

/// The parameters that the chosen key manager cannot do without.
fn key_manager(object: &Checked, params: &KeyParams, report: &mut Report) {
    let needed: &[(&str, bool)] = match params.key_manager {
        KeyManager::None => &[],
        KeyManager::File => &[("file.keyfile", params.file_keyfile.is_some())],
        KeyManager::Kmip => &[
            ("kmip.host", params.kmip_host.is_some()),
            ("kmip.port", params.kmip_port != 0),
            ("kmip.cert", params.kmip_cert.is_some()),
            ("kmip.key", params.kmip_key.is_some()),
        ],
        KeyManager::Vault => &[("vault.token", params.vault_token.is_some())],
    };
    for (name, given) in needed {
        if !given && object.is_sound(&[name]) {
            missing(object, name, "the chosen key_manager needs it", report);
        }
    }
}

/// The parameters of services that can follow the servers.
fn auto_tune(object: &Checked, names: &[String], report: &mut Report) {
    const KNOWN: [&str; 3] = ["all", "connection_keepalive", "wait_timeout"];
    for name in names.iter().filter(|name| !KNOWN.contains(&name.as_str())) {
        let text = match nearest(name, KNOWN) {
            Some(near) => format!("'{name}' cannot be tuned; did you mean '{near}'?"),
            None => format!("'{name}' cannot be tuned; known are {}", KNOWN.join(", ")),
        };
        refuse(object, "auto_tune", text, report);
    }
}

/// How tokens of the REST interface are signed.
fn tokens(object: &Checked, params: &MaxScaleParams, report: &mut Report) {
    let admin = &params.admin;
    let by_hmac = matches!(
        admin.admin_jwt_algorithm,
        JwtAlgorithm::Auto | JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512
    );
    if !by_hmac {
        let text = "it needs the key of HTTPS, which is not yet supported; use auto, HS256, HS384 or HS512";
        refuse(object, "admin_jwt_algorithm", text, report);
    }
    let off = params.keys.key_manager == KeyManager::None && object.is_sound(&["key_manager"]);
    if admin.admin_jwt_key.is_some() && off {
        let text = "there is no key manager that could have this key; choose one with key_manager";
        refuse(object, "admin_jwt_key", text, report);
    }
}

/// Debug options and what becomes of them.
const DEBUG_OPTIONS: [(&str, DebugOption); 13] = [
    (ALLOW_DUPLICATE_SERVERS, DebugOption::Built),
    ("disable-statement-logging", DebugOption::Built),
    ("disable-module-unloading", DebugOption::NoEffect),
    ("enable-module-unloading", DebugOption::NoEffect),
    ("gdb-stacktrace", DebugOption::NoEffect),
    ("exception-frequency", DebugOption::NoEffect),
    ("dump-network-traffic", DebugOption::NotYet),
    ("enable-statement-logging", DebugOption::NotYet),
    ("redirect-output-to-file", DebugOption::NotYet),
    ("enable-cors", DebugOption::NotYet),
    ("cors-allow-origin", DebugOption::NotYet),
    ("sql-batch-size", DebugOption::NotYet),
    ("disable-fcrdns", DebugOption::NotYet),
];

const ALLOW_DUPLICATE_SERVERS: &str = "allow-duplicate-servers";

#[derive(Clone, Copy)]
enum DebugOption {
    Built,
    NoEffect,
    NotYet,
}

fn option_names(debug: Option<&str>) -> impl Iterator<Item = &str> {
    let options = crate::parse::elements(debug.unwrap_or_default(), ',');
    options.map(|option| option.split_once('=').map_or(option, |(name, _)| name))
}

fn debug_options(object: &Checked, debug: Option<&str>, report: &mut Report) {
    for name in option_names(debug) {
        let known = DEBUG_OPTIONS.iter().find(|(known, _)| *known == name);
        match known.map(|(_, option)| option) {
            Some(DebugOption::Built) => {}
            Some(DebugOption::NoEffect) => {
                let fault = Fault::Rule(format!("the option {name} has no effect"));
                report.notice(&object.spot("debug"), fault);
            }
            Some(DebugOption::NotYet) => {
                let text = format!("the option {name} is not yet supported");
                refuse(object, "debug", text, report);
            }
            None => {
                let names = DEBUG_OPTIONS.iter().map(|(name, _)| *name);
                let text = match nearest(name, names) {
                    Some(near) => format!("there is no option '{name}'; did you mean '{near}'?"),
                    None => format!("there is no option '{name}'"),
                };
                refuse(object, "debug", text, report);
            }
        }
    }
}

/// Whether two servers may have one address.
pub(crate) fn duplicate_servers_allowed(globals: &Checked) -> bool {
    let debug = globals.params::<MaxScaleParams>().process.debug;
    option_names(debug.as_deref()).any(|name| name == ALLOW_DUPLICATE_SERVERS)
}

#[cfg(test)]
mod tests {
    use super::is_redirect;

    #[test]
    fn where_clients_can_be_sent() {
        for good in [
            "mariadb://db",
            "mysql://10.0.0.1:3306",
            "mariadb://[::1]",
            "mariadb://[::1]:4006",
        ] {
            assert!(is_redirect(good), "{good}");
        }
        for bad in [
            "db:3306",
            "http://db",
            "mariadb://",
            "mysql://:3306",
            "mysql://db:many",
        ] {
            assert!(!is_redirect(bad), "{bad}");
        }
    }
}
