//! `require_secure_transport`: nothing goes over a network in the clear.

use crate::links::Graph;
use crate::object::ObjectKind;
use crate::params::{ListenerParams, MaxScaleParams, ServerParams};
use crate::problem::Fault;
use crate::report::Report;

/// Reports everything that would, if that is forbidden. UNIX sockets are no network.
pub(crate) fn transport(graph: &Graph, report: &mut Report) {
    let admin = graph.globals.params::<MaxScaleParams>().admin;
    if !admin.require_secure_transport {
        return;
    }
    let insecure = || Fault::Rule("it must be true: require_secure_transport is".to_owned());
    for listener in graph.of(ObjectKind::Listener) {
        let params: ListenerParams = listener.params();
        let opens = listener.module.is_none_or(|module| module.opens_socket);
        if opens && params.socket.is_none() && !params.tls.ssl && listener.is_sound(&["ssl"]) {
            report.error(&listener.spot("ssl"), insecure());
        }
    }
    for server in graph.of(ObjectKind::Server) {
        let params: ServerParams = server.params();
        if params.socket.is_none() && !params.tls.ssl && server.is_sound(&["ssl"]) {
            report.error(&server.spot("ssl"), insecure());
        }
    }
    if admin.admin_enabled {
        let fault = Fault::Rule(
            "the REST interface has no TLS yet: this needs admin_enabled=false".to_owned(),
        );
        report.error(&graph.globals.spot("require_secure_transport"), fault);
    }
}
