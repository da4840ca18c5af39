//! Who replicates from whom, among the servers of one monitor.
//!
//! Built anew each tick from the links of the last good observation of each server. Left out:
//! name lookups; a link whose host is spelled otherwise than in the configuration is external.
//!
//! The invariant: each edge stands in its parent's list of children and in its child's list of
//! parents, and joins two different servers.

use std::collections::{BTreeSet, VecDeque};

use super::facts::{LinkRow, Liveness};
use super::view::{Member, Node};

/// A replication link between two servers of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The server at the other end.
    pub(crate) peer: usize,
    /// Which of the replica's links it is.
    pub(crate) link: usize,
    /// [`Liveness::Live`] or [`Liveness::HalfBroken`].
    pub(crate) liveness: Liveness,
}

/// The replication graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    children: Vec<Vec<Edge>>,
    parents: Vec<Vec<Edge>>,
    sources: Vec<Vec<Option<usize>>>,
    groups: Vec<Option<u32>>,
}

impl Graph {
    /// Joins `nodes`, which are the `members` in the same order.
    pub(crate) fn build(members: &[Member], nodes: &[Node], unique_hostnames: bool) -> Self {
        let mut graph = Self {
            children: vec![Vec::new(); nodes.len()],
            parents: vec![Vec::new(); nodes.len()],
            sources: vec![Vec::new(); nodes.len()],
            groups: Vec::new(),
        };
        for (replica, node) in nodes.iter().enumerate() {
            for (link, row) in node.links.iter().enumerate() {
                let source = if unique_hostnames {
                    by_address(members, &row.row)
                } else {
                    by_server_id(nodes, &row.row, row.seen_connected)
                };
                graph.add(replica, link, &row.row, source);
            }
        }
        graph.groups = graph.number_groups();
        graph
    }

    fn add(&mut self, replica: usize, link: usize, row: &LinkRow, source: Option<usize>) {
        if let Some(list) = self.sources.get_mut(replica) {
            list.push(source);
        }
        let Some(source) = source else {
            return;
        };
        let liveness = row.liveness();
        if liveness == Liveness::Dead || source == replica {
            return;
        }
        let edge = |peer| Edge {
            peer,
            link,
            liveness,
        };
        if let Some(list) = self.children.get_mut(source) {
            list.push(edge(replica));
            list.sort_by_key(|edge| (edge.liveness, edge.peer));
        }
        if let Some(list) = self.parents.get_mut(replica) {
            list.push(edge(source));
        }
    }

    /// The replicas of a server, live links first.
    pub(crate) fn children(&self, node: usize) -> &[Edge] {
        self.children.get(node).map_or(&[], Vec::as_slice)
    }

    /// The servers a server replicates from.
    pub(crate) fn parents(&self, node: usize) -> &[Edge] {
        self.parents.get(node).map_or(&[], Vec::as_slice)
    }

    /// For each link of a server the member it leads to, alive or not; `None` leads outside.
    pub(crate) fn sources(&self, node: usize) -> &[Option<usize>] {
        self.sources.get(node).map_or(&[], Vec::as_slice)
    }

    /// The number of the cycle a server is in, from 1.
    pub(crate) fn group(&self, node: usize) -> Option<u32> {
        self.groups.get(node).copied().flatten()
    }

    /// The members of a cycle, in configuration order.
    pub(crate) fn group_members(&self, group: u32) -> impl Iterator<Item = usize> + '_ {
        (0..self.groups.len()).filter(move |node| self.group(*node) == Some(group))
    }

    /// Does some member of the cycle replicate from a server outside it?
    pub(crate) fn group_is_fed(&self, group: u32) -> bool {
        self.group_members(group)
            .flat_map(|node| self.parents(node))
            .any(|edge| self.group(edge.peer) != Some(group))
    }

    /// All servers to be reached from `start` over edges that `follow` accepts; `start` itself
    /// only if an edge leads back to it.
    pub(crate) fn reach(
        &self,
        start: usize,
        follow: impl Fn(usize, &Edge) -> bool,
    ) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(node) = waiting.pop_front() {
            for edge in self.children(node) {
                if follow(node, edge) && found.insert(edge.peer) {
                    waiting.push_back(edge.peer);
                }
            }
        }
        found
    }

    /// Numbers the cycles: the strongly connected components of more than one server.
    fn number_groups(&self) -> Vec<Option<u32>> {
        let count = self.children.len();
        let reach: Vec<BTreeSet<usize>> = (0..count)
            .map(|node| self.reach(node, |_, _| true))
            .collect();
        let leads = |from: usize, to: usize| reach.get(from).is_some_and(|set| set.contains(&to));
        let mut groups: Vec<Option<u32>> = Vec::with_capacity(count);
        let mut last = 0;
        for node in 0..count {
            let earlier = (0..node).find(|other| leads(node, *other) && leads(*other, node));
            let group = match earlier {
                Some(other) => groups.get(other).copied().flatten(),
                None if leads(node, node) => {
                    last += 1;
                    Some(last)
                }
                None => None,
            };
            groups.push(group);
        }
        groups
    }
}

/// Finds the member a link points to by its spelling in the configuration.
fn by_address(members: &[Member], row: &LinkRow) -> Option<usize> {
    let spelled = |host: Option<&str>, port: u16| {
        host == Some(row.master_host.as_str()) && port == row.master_port
    };
    members
        .iter()
        .position(|member| spelled(member.host.as_deref(), member.port))
        .or_else(|| {
            members
                .iter()
                .position(|member| spelled(member.private_host.as_deref(), member.port))
        })
}

/// Finds the member a link points to by server id. The id in a link is that of the last primary
/// that it was connected to, so it counts only once the link was seen connected.
fn by_server_id(nodes: &[Node], row: &LinkRow, seen_connected: bool) -> Option<usize> {
    if !seen_connected {
        return None;
    }
    nodes.iter().position(|node| {
        let facts = node.facts.as_ref();
        facts.is_some_and(|facts| facts.server_id == row.master_server_id)
    })
}
