//! A changed service is for new sessions; one that runs takes it when it is restarted.

mod house;

use std::sync::Arc;

use house::{House, Plan, healthy};
use tidegate_config::Values;
use tidegate_routers::router;
use tidegate_session::{Control, ControlError, ServiceSpec, SessionId};
use tidegate_testkit::raw::RawClient;
use tidegate_testkit::wait_until;

fn split(service: &mut ServiceSpec) {
    let module = router("readwritesplit").expect("a router");
    service.router = (module.make)(&Values::defaults([module.declaration.table]));
}

/// The same service with its first target only.
fn smaller(house: &House) -> Arc<ServiceSpec> {
    let mut service = house::service(1, 2);
    split(&mut service);
    service.counters = Arc::clone(&house.service.counters);
    service.target_counters = house
        .service
        .target_counters
        .iter()
        .take(1)
        .cloned()
        .collect();
    assert_eq!(service.name, house.service.name);
    Arc::new(service)
}

fn connected(house: &House) -> RawClient {
    let mut client = house.connect();
    client.query("SELECT 1").expect("a reply");
    client
}

#[test]
fn a_changed_service_is_for_new_sessions_and_for_those_that_are_restarted() {
    let (first, second) = (healthy(), healthy());
    let house = House::new(Plan {
        change: split,
        ..Plan::new(&[&first, &second])
    });
    let mut old = connected(&house);
    wait_until("both connections", || house.servers_of(&old).len() == 2).expect("connections");
    let changed = smaller(&house);
    house
        .runtime
        .set_service("Listener", &changed)
        .expect("the listener");
    let mut new = connected(&house);
    assert_eq!(house.servers_of(&new), ["server1"]);
    old.query("SELECT 2").expect("a reply");
    assert_eq!(house.servers_of(&old), ["server1", "server2"]);
    let id = SessionId(u64::from(old.connection_id()));
    house
        .control(id, Control::Restart(Arc::clone(&changed)))
        .expect("granted");
    wait_until("the old session to take it", || {
        house.servers_of(&old) == ["server1"]
    })
    .expect("restarted");
    let reply = old.query("SELECT 3").expect("a reply");
    assert_eq!(reply.text_value().expect("a row"), "3");
    new.query("SELECT 4").expect("a reply");
    let open = house.service.target_counters[1].sum(|shard| &shard.connections);
    assert_eq!(open, 0, "nobody uses the second server any more");
    assert_eq!(house.service.counters.sum(|shard| &shard.sessions), 2);
}

#[test]
fn a_router_without_a_history_keeps_its_sessions_as_they_are() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let client = connected(&house);
    let id = SessionId(u64::from(client.connection_id()));
    let refused = house.control(id, Control::Restart(Arc::clone(&house.service)));
    assert!(
        matches!(
            &refused,
            Err(tidegate_runtime::Refusal::Refused(ControlError::Restart(reason)))
                if reason.contains("keeps no session command history")
        ),
        "{refused:?}"
    );
}
