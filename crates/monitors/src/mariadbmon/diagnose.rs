//! One tick's thinking: what was known, what was seen, what follows.
//!
//! Pure: the same arguments give the same answer. A cluster where nothing changed yields no
//! notes and the same view.

use std::sync::Arc;
use std::time::SystemTime;

use super::facts::{ContactFailure, Facts, IoState, LinkRow, Observation};
use super::graph::Graph;
use super::note::Note;
use super::primary::{Choice, Election, Unsuitable};
use super::roles;
use super::rules::Rules;
use super::view::{ClusterView, Link, Member, Node};
use crate::bits::ServerBits;
use crate::event::Event;

/// What a server keeps when it goes down.
const SURVIVES_DOWN: ServerBits = ServerBits::MAINTENANCE.with(ServerBits::DRAINING);

/// What a monitor decides anew in each tick about a server that runs.
const DECIDED: ServerBits = ServerBits::MASTER
    .with(ServerBits::SLAVE)
    .with(ServerBits::RELAY)
    .with(ServerBits::BINLOG_RELAY);

/// What a tick concludes.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The state to go on from.
    pub view: ClusterView,
    /// What the log should say, in order.
    pub notes: Vec<Note>,
}

/// Concludes from `previous` and what was `observed` of each of the `members`, all in the same
/// order. A member without an observation counts as lost.
#[must_use]
pub fn diagnose(
    previous: &ClusterView,
    members: &[Member],
    observed: Vec<Observation>,
    rules: &Rules,
    now: SystemTime,
) -> Diagnosis {
    let mut view = previous.clone();
    view.nodes.resize_with(members.len(), Node::default);
    let mut notes = Vec::new();
    let mut observed = observed.into_iter();
    for (member, node) in members.iter().zip(&mut view.nodes) {
        let seen = Observation::or_unasked(observed.next());
        notes.extend(take_in(node, member, seen));
    }
    let graph = Graph::build(members, &view.nodes, rules.unique_hostnames);
    notes.extend(choose_primary(&mut view, members, &graph, rules));
    assign_roles(&mut view, &graph, rules);
    keep_domain(&mut view);
    for (index, (member, node)) in members.iter().zip(&mut view.nodes).enumerate() {
        let before = previous
            .nodes
            .get(index)
            .map_or(ServerBits::NONE, |node| node.bits);
        notes.extend(note_change(node, member, before, now));
    }
    Diagnosis { view, notes }
}

/// Takes one observation into a node. Only the bits that the outcome speaks of change.
fn take_in(node: &mut Node, member: &Member, seen: Observation) -> Option<Note> {
    let note = match seen {
        Observation::Answered(facts) => {
            node.bits = node
                .bits
                .with(ServerBits::RUNNING)
                .without(ServerBits::AUTH_ERROR);
            node.failure = None;
            learn(node, *facts);
            None
        }
        Observation::NotPermitted(error) => {
            let news = !node.bits.contains(ServerBits::AUTH_ERROR);
            node.bits |= ServerBits::RUNNING | ServerBits::AUTH_ERROR;
            node.failure = None;
            news.then(|| Note::NotPermitted {
                server: Arc::clone(&member.name),
                error,
            })
        }
        Observation::Lost(error) => {
            node.bits = node.bits.intersection(SURVIVES_DOWN);
            if error.kind == ContactFailure::AccessDenied {
                node.bits |= ServerBits::AUTH_ERROR;
            }
            let news = node.failure != Some(error.kind);
            node.failure = Some(error.kind);
            news.then(|| Note::ContactLost {
                server: Arc::clone(&member.name),
                error,
            })
        }
    };
    let counts = !node
        .bits
        .intersects(ServerBits::RUNNING | ServerBits::MAINTENANCE);
    node.fail_ticks = if counts {
        node.fail_ticks.saturating_add(1)
    } else {
        0
    };
    note
}

fn learn(node: &mut Node, facts: Facts) {
    let links = facts.links.iter().map(|row| {
        let known = node
            .links
            .iter()
            .find(|link| link.row.has_coordinates_of(row));
        Link {
            seen_connected: row.io == IoState::Running
                || known.is_some_and(|link| link.seen_connected),
            row: row.clone(),
        }
    });
    node.links = links.collect();
    node.facts = Some(Arc::new(facts));
}

/// Takes the election's outcome over and puts it in words.
fn choose_primary(
    view: &mut ClusterView,
    members: &[Member],
    graph: &Graph,
    rules: &Rules,
) -> Option<Note> {
    let election = Election {
        members,
        nodes: &view.nodes,
        graph,
        rules,
    };
    let choice = election.decide(view.primary.as_ref());
    let note = choice_note(&choice, &election, view.primary());
    match choice {
        Choice::Same | Choice::Kept(_) | Choice::None => {}
        Choice::Renewed(primary) | Choice::Found(primary) | Choice::Replaced(primary, _) => {
            view.primary = Some(primary);
        }
    }
    say_once(&mut view.complaint, note)
}

fn choice_note(choice: &Choice, election: &Election<'_>, old: Option<usize>) -> Option<Note> {
    let name = |server: usize| {
        let member = election.members.get(server);
        member.map_or_else(|| Arc::from(""), |member| Arc::clone(&member.name))
    };
    let old_name = || old.map_or_else(|| Arc::from(""), name);
    let others = || -> Vec<(Arc<str>, Unsuitable)> {
        let objections = election.objections().into_iter();
        objections
            .filter(|(server, _)| Some(*server) != old)
            .map(|(server, why)| (name(server), why))
            .collect()
    };
    match choice {
        Choice::Same | Choice::Renewed(_) => None,
        Choice::Found(primary) => Some(Note::PrimaryFound {
            server: name(primary.server),
        }),
        Choice::Replaced(primary, why) => Some(Note::PrimaryReplaced {
            old: old_name(),
            new: name(primary.server),
            why: *why,
        }),
        Choice::Kept(why) => Some(Note::PrimaryKept {
            server: old_name(),
            why: *why,
            others: others(),
        }),
        Choice::None => Some(Note::NoPrimary { others: others() }),
    }
}

/// Lets a complaint through only when it differs from the last one.
fn say_once(last: &mut Option<String>, note: Option<Note>) -> Option<Note> {
    let complaint = match &note {
        Some(Note::PrimaryKept { .. } | Note::NoPrimary { .. }) => {
            note.as_ref().map(ToString::to_string)
        }
        Some(_) | None => None,
    };
    let repeated = complaint.is_some() && complaint == *last;
    *last = complaint;
    note.filter(|_| !repeated)
}

fn assign_roles(view: &mut ClusterView, graph: &Graph, rules: &Rules) {
    for node in &mut view.nodes {
        node.bits = node.bits.without(DECIDED);
    }
    let assigned = roles::assign(&view.nodes, graph, rules, view.primary());
    for (index, (node, assignment)) in view.nodes.iter_mut().zip(assigned).enumerate() {
        node.bits |= assignment.bits;
        node.lag_secs = assignment.lag_secs;
        node.group = graph.group(index);
        node.sources = graph.sources(index).to_vec();
        node.details = external_details(node).filter(|_| !rules.hide_external);
    }
}

/// `state_details` of a server that replicates from outside the monitor.
fn external_details(node: &Node) -> Option<String> {
    if !node.bits.contains(ServerBits::RUNNING) {
        return None;
    }
    let links = node.links.iter().zip(&node.sources);
    let external = links.filter(|(_, source)| source.is_none());
    let states: Vec<&str> = external
        .map(|(link, _)| external_state(&link.row))
        .collect();
    let first = states.first()?;
    let worst = states
        .iter()
        .find(|state| !state.is_empty())
        .unwrap_or(first);
    Some(format!("Slave of External Server{worst}"))
}

fn external_state(row: &LinkRow) -> &'static str {
    match (row.io, row.sql_running) {
        (IoState::Running, true) => "",
        (IoState::Connecting, true) => " (connecting)",
        (IoState::Stopped, true) => " (IO stopped)",
        (IoState::Running | IoState::Connecting, false) => " (SQL stopped)",
        (IoState::Stopped, false) => " (stopped)",
    }
}

fn keep_domain(view: &mut ClusterView) {
    let facts = view
        .primary()
        .and_then(|primary| view.nodes.get(primary))
        .and_then(|node| node.facts.as_ref());
    if let Some(facts) = facts {
        view.primary_domain = facts.gtid_domain_id;
    }
}

fn note_change(
    node: &mut Node,
    member: &Member,
    before: ServerBits,
    now: SystemTime,
) -> Option<Note> {
    let event = Event::between(before, node.bits);
    if let Some(event) = event {
        node.last_event = Some((event, now));
    }
    (before != node.bits).then(|| Note::StatusChange {
        server: Arc::clone(&member.name),
        address: member.address(),
        event,
        before,
        after: node.bits,
    })
}
