//! Who is `Master`, `Slave`, `Relay Master` or `Binlog Relay`, once the primary is chosen.
//!
//! The invariant: at most one server is `Master`, no server is both `Master` and `Slave`, and only
//! running servers have roles.

use std::collections::BTreeSet;

use super::facts::{LinkRow, Liveness};
use super::graph::{Edge, Graph};
use super::rules::Rules;
use super::view::Node;
use crate::bits::ServerBits;
use tidegate_wire::version::ServerKind;

/// What is decided about one server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Role bits.
    pub(crate) bits: ServerBits,
    /// Seconds behind the primary.
    pub(crate) lag_secs: Option<u64>,
}

/// Assigns roles to all servers.
pub(crate) fn assign(
    nodes: &[Node],
    graph: &Graph,
    rules: &Rules,
    primary: Option<usize>,
) -> Vec<Assignment> {
    let mut made = vec![Assignment::default(); nodes.len()];
    let Some(primary) = primary else {
        return made;
    };
    let walk = Walk::new(nodes, graph, rules, primary);
    let is_master = walk.may_be_master();
    for (node, assignment) in made.iter_mut().enumerate() {
        assignment.bits = if node == primary {
            walk.primary_bits(is_master)
        } else {
            walk.replica_bits(node, is_master)
        };
        assignment.lag_secs = walk.lag(node);
    }
    made
}

/// The primary's tree, walked once.
struct Walk<'a> {
    nodes: &'a [Node],
    graph: &'a Graph,
    rules: &'a Rules,
    primary: usize,
    /// The primary and all servers reached from it over any edge.
    tree: BTreeSet<usize>,
    /// The primary and those reached over connected links through running servers.
    linked: BTreeSet<usize>,
}

impl<'a> Walk<'a> {
    fn new(nodes: &'a [Node], graph: &'a Graph, rules: &'a Rules, primary: usize) -> Self {
        let mut walk = Self {
            nodes,
            graph,
            rules,
            primary,
            tree: graph.reach(primary, |_, _| true),
            linked: BTreeSet::new(),
        };
        walk.tree.insert(primary);
        walk.linked = graph.reach(primary, |from, edge| {
            walk.is_running(from)
                && walk
                    .row(edge.peer, edge.link)
                    .is_some_and(LinkRow::is_connected)
        });
        walk.linked.insert(primary);
        walk
    }

    fn bits(&self, node: usize) -> ServerBits {
        self.nodes
            .get(node)
            .map_or(ServerBits::NONE, |node| node.bits)
    }

    fn is_running(&self, node: usize) -> bool {
        self.bits(node).contains(ServerBits::RUNNING)
    }

    fn is_relay_only(&self, node: usize) -> bool {
        let facts = self.nodes.get(node).and_then(|node| node.facts.as_ref());
        facts.is_some_and(|facts| facts.version.kind() == ServerKind::BinlogRelay)
    }

    fn is_read_only(&self, node: usize) -> bool {
        let facts = self.nodes.get(node).and_then(|node| node.facts.as_ref());
        facts.is_none_or(|facts| facts.read_only)
    }

    fn row(&self, replica: usize, link: usize) -> Option<&LinkRow> {
        let link = self.nodes.get(replica)?.links.get(link)?;
        Some(&link.row)
    }

    fn may_be_master(&self) -> bool {
        self.bits(self.primary).is_usable()
            && !self.is_read_only(self.primary)
            && !self.is_relay_only(self.primary)
            && self.master_conditions_hold()
    }

    /// The conditions must be met by one and the same replica.
    fn master_conditions_hold(&self) -> bool {
        let wanted = self.rules.master;
        if !wanted.connecting && !wanted.connected && !wanted.running {
            return true;
        }
        self.graph.children(self.primary).iter().any(|edge| {
            let Some(row) = self.row(edge.peer, edge.link) else {
                return false;
            };
            row.is_connecting()
                && (!wanted.connected || row.is_connected())
                && (!wanted.running || self.is_running(edge.peer))
        })
    }

    /// A primary that may not be `Master` serves reads if the replicas' conditions allow it.
    fn primary_bits(&self, is_master: bool) -> ServerBits {
        if is_master {
            ServerBits::MASTER
        } else if self.bits(self.primary).is_usable()
            && !self.is_relay_only(self.primary)
            && !self.rules.slave.writable_master
        {
            ServerBits::SLAVE
        } else {
            ServerBits::NONE
        }
    }

    fn replica_bits(&self, node: usize, is_master: bool) -> ServerBits {
        if !self.is_running(node) || !self.replicates(node) {
            return ServerBits::NONE;
        }
        if self.is_relay_only(node) {
            return ServerBits::BINLOG_RELAY;
        }
        if !self.slave_conditions_hold(node, is_master) {
            return ServerBits::NONE;
        }
        if self.feeds_someone(node) {
            ServerBits::SLAVE | ServerBits::RELAY
        } else {
            ServerBits::SLAVE
        }
    }

    /// The links of `node` that lead into the primary's tree.
    fn links_inward(&self, node: usize) -> impl Iterator<Item = &LinkRow> {
        self.graph
            .parents(node)
            .iter()
            .filter(|edge| self.tree.contains(&edge.peer))
            .filter_map(move |edge| self.row(node, edge.link))
    }

    fn replicates(&self, node: usize) -> bool {
        self.links_inward(node).any(LinkRow::is_connecting)
    }

    fn slave_conditions_hold(&self, node: usize, is_master: bool) -> bool {
        let wanted = self.rules.slave;
        (!wanted.linked_master || self.linked.contains(&node))
            && (!wanted.running_master || self.is_running(self.primary))
            && (!wanted.writable_master || is_master)
    }

    fn feeds_someone(&self, node: usize) -> bool {
        let live = |edge: &Edge| edge.liveness == Liveness::Live && self.is_running(edge.peer);
        self.graph.children(node).iter().any(live)
    }

    fn lag(&self, node: usize) -> Option<u64> {
        if !self.is_running(node) {
            return None;
        }
        if node == self.primary {
            return Some(0);
        }
        self.links_inward(node)
            .filter_map(|row| row.seconds_behind)
            .min()
    }
}
