//! Why a statement goes where it goes, server by server: for people who ask over REST.
//!
//! What is said follows from the functions that route, `route.rs` and `choose.rs`; nothing is
//! decided here.

use std::cmp::Reverse;

use tidegate_session::request::Request;
use tidegate_session::router::{Decision, Reasoning, RouterSession as _};
use tidegate_session::world::{Rank, ServerStatus};
use tidegate_session::{Link, Scene, TargetId, TargetView};

use super::choose::{self, Unfit, Weight};
use super::criteria;
use super::params::SelectionCriteria;
use super::route::{self, Class};
use super::rule::Rule;
use super::session::Split;

impl Split {
    /// The rule that decides, and what it means for each target.
    pub(super) fn explain(&self, request: &Request<'_>, scene: &Scene<'_>) -> Reasoning {
        let (class, rule) = self.decided(request, scene);
        let chosen = match self.route(request, scene) {
            Decision::One { target, .. } => Some(target),
            _ => None,
        };
        let verdicts = scene
            .targets()
            .filter_map(|id| Some((id, scene.target(id)?)))
            .map(|(id, view)| (id, self.verdict(class, rule, id, &view, chosen, scene)))
            .collect();
        Reasoning {
            rule: rule.word(),
            sentence: rule.sentence(),
            verdicts,
            effects: self.effects(self.tied.named.resolve(request).as_ref().unwrap_or(request)),
        }
    }

    /// As `route` does: a hint that cannot be followed is none.
    fn decided(&self, request: &Request<'_>, scene: &Scene<'_>) -> (Class, Rule) {
        let resolved = self.tied.named.resolve(request);
        let request = resolved.as_ref().unwrap_or(request);
        let (class, rule) = route::decide(request, self.state(scene));
        if class == Class::Hinted && self.to_hinted(request, scene).is_none() {
            let plain = Request {
                hints: &[],
                ..*request
            };
            return route::decide(&plain, self.state(scene));
        }
        (class, rule)
    }

    fn verdict(
        &self,
        class: Class,
        rule: Rule,
        id: TargetId,
        view: &TargetView<'_>,
        chosen: Option<TargetId>,
        scene: &Scene<'_>,
    ) -> String {
        match class {
            Class::Lost => "not asked: the proxy answers".to_owned(),
            Class::Hinted if chosen == Some(id) => "chosen: a hint names it".to_owned(),
            Class::Hinted => "not chosen: a hint names another".to_owned(),
            Class::All if view.link() >= Link::Opening => {
                "gets it: the session is connected to it".to_owned()
            }
            Class::All => "is told when the session connects to it".to_owned(),
            Class::Replica => self.verdict_on_reader(id, view, chosen, scene),
            Class::Primary | Class::Last | Class::Transaction | Class::Owner(_) => {
                let why = match class {
                    Class::Transaction => "the transaction runs there",
                    Class::Last => "the statement before went there",
                    Class::Owner(_) => "it alone has the user variables",
                    _ => "it is the primary",
                };
                if chosen == Some(id) {
                    format!("chosen: {why}")
                } else {
                    self.verdict_on_other(rule, view, scene)
                }
            }
        }
    }

    fn verdict_on_other(&self, rule: Rule, view: &TargetView<'_>, scene: &Scene<'_>) -> String {
        if rule == Rule::InTransaction {
            return "not chosen: the transaction runs elsewhere".to_owned();
        }
        if !view.status().has(ServerStatus::MASTER) {
            return "not eligible: it is not the primary".to_owned();
        }
        match choose::obstacle(view, scene) {
            Some(obstacle) => format!("not eligible: it {obstacle}"),
            None => {
                "not chosen: another primary is better by rank or has fewer connections".to_owned()
            }
        }
    }

    fn verdict_on_reader(
        &self,
        id: TargetId,
        view: &TargetView<'_>,
        chosen: Option<TargetId>,
        scene: &Scene<'_>,
    ) -> String {
        let limits = &self.settings.limits;
        let primary = self.find_primary(scene);
        if let Some(unfit) = choose::unfit(scene, limits, id, view, primary) {
            return format!("not eligible: {}", self.why_unfit(unfit, view, scene));
        }
        let yardstick = choose::yardstick(scene, limits, primary);
        let weight = |id: TargetId| {
            let view = scene.target(id)?;
            let is_primary = primary == Some(id);
            Some(choose::weight(&yardstick, scene, limits, &view, is_primary))
        };
        let is_by_operations = limits.criterion == SelectionCriteria::LeastCurrentOperations;
        match (chosen, chosen.and_then(weight), weight(id)) {
            (Some(best), Some(of_best), Some(own)) if best != id => {
                let name = scene.target(best).map_or("?", |view| view.name());
                format!(
                    "eligible, but {}",
                    better(name, limits.criterion, &of_best, &own)
                )
            }
            (Some(_), _, Some(own)) if own.class == Weight::PRIMARY => {
                "chosen: it is the primary, and no replica may take the read".to_owned()
            }
            (Some(_), _, Some(own)) if is_by_operations => format!(
                "chosen: no eligible server has fewer than its {} statements in progress",
                own.measure
            ),
            (Some(_), _, Some(_)) => {
                "chosen: no eligible server is better by slave_selection_criteria".to_owned()
            }
            _ => "eligible".to_owned(),
        }
    }

    fn why_unfit(&self, unfit: Unfit, view: &TargetView<'_>, scene: &Scene<'_>) -> String {
        let limits = &self.settings.limits;
        match unfit {
            Unfit::Role => "it is neither a replica nor the primary".to_owned(),
            Unfit::Unreachable => choose::obstacle(view, scene).map_or_else(
                || "it cannot be reached".to_owned(),
                |why| format!("it {why}"),
            ),
            Unfit::Maintenance => "it is in maintenance".to_owned(),
            Unfit::Full => format!(
                "the session has its {} replica connections already (max_slave_connections)",
                limits.max_replicas
            ),
            Unfit::Lag => {
                let limit = limits.max_replication_lag.as_secs();
                match view.lag() {
                    Some(lag) => format!(
                        "it is {} s behind, and max_replication_lag is {limit} s",
                        lag.as_secs()
                    ),
                    None => {
                        format!("its lag is not known, and max_replication_lag is {limit} s")
                    }
                }
            }
            Unfit::Rank => match view.rank() {
                Rank::Primary => "its rank is primary, and others are in use".to_owned(),
                Rank::Secondary => {
                    "its rank is secondary, and servers of the primary rank will do".to_owned()
                }
            },
        }
    }
}

/// What makes `name` the better choice.
fn better(name: &str, criterion: SelectionCriteria, best: &Weight, own: &Weight) -> String {
    if best.class != own.class {
        match own.class {
            Weight::PRIMARY => "it is the primary, and replicas can take the read".to_owned(),
            _ => "it still owes answers that nobody waits for".to_owned(),
        }
    } else if best.measure > own.measure && best.link == Reverse(Link::Opening) {
        format!("{name} is being connected for the session")
    } else if best.measure > own.measure {
        format!("{name} is hardly busier and is the one the session used last")
    } else if best.measure != own.measure {
        format!(
            "{name} {}",
            criteria::better(criterion, best.measure, own.measure)
        )
    } else if best.last_used != own.last_used {
        format!("{name} is as busy and is the one the session used last")
    } else if best.link != own.link {
        format!("{name} is as busy and is connected already")
    } else {
        format!("{name} is as good, and it is its turn in this session")
    }
}
