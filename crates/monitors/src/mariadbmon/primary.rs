//! Which server is the primary.
//!
//! A primary once chosen stays until it becomes invalid *and* another server is suitable; a
//! better one alone never replaces it. The choice moves queries, it changes nothing on any server.

use std::fmt;

use super::facts::Facts;
use super::graph::Graph;
use super::rules::Rules;
use super::view::{Member, Node};
use crate::bits::ServerBits;
use tidegate_wire::version::ServerKind;

/// The primary, with what its validity depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    /// Its index.
    pub(crate) server: usize,
    /// Did it replicate from another member when it was chosen?
    had_parent: bool,
    /// Was it in a replication cycle when it was chosen?
    in_cycle: bool,
}

impl Primary {
    /// The same choice, at another index.
    pub(crate) fn moved_to(&self, server: usize) -> Self {
        Self {
            server,
            ..self.clone()
        }
    }
}

/// Why a chosen primary may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// `read_only` was turned on.
    ReadOnly,
    /// It and all its replicas have been down for longer than `failcount`.
    DownWithReplicas,
    /// It began to replicate from another member.
    HasParent,
    /// The replication cycle it was in is broken.
    LeftCycle,
    /// Its replication cycle replicates from a member outside.
    CycleIsFed,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "it is read-only",
            Self::DownWithReplicas => "it and all its replicas have been down for too long",
            Self::HasParent => "it replicates from another server of the monitor",
            Self::LeftCycle => "it is no longer in the replication ring it was chosen from",
            Self::CycleIsFed => "its replication ring replicates from a server outside the ring",
        })
    }
}

/// Why a server cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsuitable {
    /// Not running.
    Down,
    /// In maintenance.
    Maintenance,
    /// `read_only` is on, or was never read.
    ReadOnly,
    /// A binlog relay.
    NoDatabase,
    /// In `servers_no_promotion`.
    NotPromotable,
    /// It replicates from another member.
    Replica,
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "it is down",
            Self::Maintenance => "it is in maintenance",
            Self::ReadOnly => "it is read-only",
            Self::NoDatabase => "it is a binlog relay",
            Self::NotPromotable => "it is in servers_no_promotion",
            Self::Replica => "it replicates from another server of the monitor",
        })
    }
}

/// What became of the choice in this tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// As before, rightly.
    Same,
    /// It is the best choice again, for other reasons than before.
    Renewed(Primary),
    /// There was none; now there is.
    Found(Primary),
    /// The old one is invalid, and there is another.
    Replaced(Primary, Invalid),
    /// The old one is invalid, but nobody is better.
    Kept(Invalid),
    /// There is none and nobody is suitable.
    None,
}

/// The servers of one tick, as the choice sees them.
pub(crate) struct Election<'a> {
    pub(crate) members: &'a [Member],
    pub(crate) nodes: &'a [Node],
    pub(crate) graph: &'a Graph,
    pub(crate) rules: &'a Rules,
}

impl Election<'_> {
    /// Decides what becomes of `current`.
    pub(crate) fn decide(&self, current: Option<&Primary>) -> Choice {
        match current {
            Some(primary) => match self.invalidity(primary) {
                None => Choice::Same,
                Some(why) => match self.best() {
                    Some(best) if best == primary.server => Choice::Renewed(self.make(best)),
                    Some(best) => Choice::Replaced(self.make(best), why),
                    None => Choice::Kept(why),
                },
            },
            None => match self.best().or_else(|| self.best_down()) {
                Some(best) => Choice::Found(self.make(best)),
                None => Choice::None,
            },
        }
    }

    /// Why each server cannot be chosen, in configuration order.
    pub(crate) fn objections(&self) -> Vec<(usize, Unsuitable)> {
        let candidates = self.candidates(|node| self.unsuitable(node).is_none());
        (0..self.nodes.len())
            .filter(|node| !candidates.contains(node))
            .map(|node| (node, self.unsuitable(node).unwrap_or(Unsuitable::Replica)))
            .collect()
    }

    fn make(&self, server: usize) -> Primary {
        Primary {
            server,
            had_parent: !self.graph.parents(server).is_empty(),
            in_cycle: self.graph.group(server).is_some(),
        }
    }

    fn invalidity(&self, primary: &Primary) -> Option<Invalid> {
        let server = primary.server;
        let facts = self.facts(server);
        if facts.is_some_and(|facts| facts.read_only) {
            return Some(Invalid::ReadOnly);
        }
        if self.is_long_down(server) && !self.has_replica_left(server) {
            return Some(Invalid::DownWithReplicas);
        }
        match self.graph.group(server) {
            None if primary.in_cycle => Some(Invalid::LeftCycle),
            Some(group) if primary.in_cycle && self.graph.group_is_fed(group) => {
                Some(Invalid::CycleIsFed)
            }
            None | Some(_) if !primary.had_parent && !self.graph.parents(server).is_empty() => {
                Some(Invalid::HasParent)
            }
            None | Some(_) => None,
        }
    }

    fn is_long_down(&self, node: usize) -> bool {
        let ticks = self.nodes.get(node).map_or(0, |node| node.fail_ticks);
        ticks > self.rules.failcount
    }

    /// Is a replica of `server`, directly or through others that are gone, still there or only
    /// just lost?
    fn has_replica_left(&self, server: usize) -> bool {
        let replicas = self.graph.reach(server, |from, _| self.is_long_down(from));
        replicas
            .iter()
            .any(|replica| *replica != server && !self.is_long_down(*replica))
    }

    /// Servers that could be primary by their place in the graph: those that replicate from no
    /// member, and of each ring that is not fed from outside the first one `accept` takes.
    fn candidates(&self, accept: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|node| accept(*node))
            .filter(|node| match self.graph.group(*node) {
                None => self.graph.parents(*node).is_empty(),
                Some(group) => {
                    let first = self
                        .graph
                        .group_members(group)
                        .find(|member| accept(*member));
                    first == Some(*node) && !self.graph.group_is_fed(group)
                }
            })
            .collect()
    }

    fn best(&self) -> Option<usize> {
        self.ranked(self.candidates(|node| self.unsuitable(node).is_none()), 0)
    }

    /// A server that is down is chosen only if running replicas look to it.
    fn best_down(&self) -> Option<usize> {
        let lost = |node| self.unsuitable(node) == Some(Unsuitable::Down);
        self.ranked(self.candidates(lost), 1)
    }

    /// Of the candidates with at least so many replicas the one with most; the first of equals.
    fn ranked(&self, candidates: Vec<usize>, least: usize) -> Option<usize> {
        let mut best = None;
        for node in candidates {
            let replicas = self.replica_count(node);
            if replicas >= least && best.is_none_or(|(_, most)| replicas > most) {
                best = Some((node, replicas));
            }
        }
        best.map(|(node, _)| node)
    }

    /// How many running servers are reached over live links through running servers.
    fn replica_count(&self, node: usize) -> usize {
        let mut reached = self.graph.reach(node, |_, edge| {
            edge.liveness == super::facts::Liveness::Live && self.is_running(edge.peer)
        });
        reached.remove(&node);
        reached.len()
    }

    fn is_running(&self, node: usize) -> bool {
        self.bits(node).contains(ServerBits::RUNNING)
    }

    fn bits(&self, node: usize) -> ServerBits {
        self.nodes
            .get(node)
            .map_or(ServerBits::NONE, |node| node.bits)
    }

    fn facts(&self, node: usize) -> Option<&Facts> {
        self.nodes.get(node)?.facts.as_deref()
    }

    /// Why this server cannot be chosen, apart from its place in the graph. Down comes last: a
    /// server that is nothing worse than down may be chosen in need.
    fn unsuitable(&self, node: usize) -> Option<Unsuitable> {
        let name = self.members.get(node).map_or("", |member| &member.name);
        let facts = self.facts(node);
        let running = self.is_running(node);
        if self.bits(node).contains(ServerBits::MAINTENANCE) {
            Some(Unsuitable::Maintenance)
        } else if facts.is_some_and(|facts| facts.version.kind() == ServerKind::BinlogRelay) {
            Some(Unsuitable::NoDatabase)
        } else if self.rules.no_promotion.contains(name) {
            Some(Unsuitable::NotPromotable)
        } else if facts.map_or(running, |facts| facts.read_only) {
            Some(Unsuitable::ReadOnly)
        } else if !running {
            Some(Unsuitable::Down)
        } else {
            None
        }
    }
}
