//! Where a statement would go: the question put to the routers, and their answer put into words.

use std::sync::Arc;

use tidegate_admin::house::{Refusal, RouteQuestion, TransactionState};
use tidegate_admin::views::{RouteCandidate, RouteOutcome, RouteStep, RouteView};
use tidegate_session::ServiceSpec;
use tidegate_session::explain::{Begun, Explanation, Outcome, Question, Step, explain as ask};
use tidegate_session::world::Rank;
use tidegate_sql::hints::{self, Directive, Hint};
use tidegate_sql::{Modes, canonical};

use super::Live;

pub(super) fn explain(
    house: &Live,
    spec: &Arc<ServiceSpec>,
    question: &RouteQuestion,
) -> Result<RouteView, Refusal> {
    let modes = modes(&question.sql_mode)?;
    let hints = hints_of(house, spec, question, modes)?;
    let text = question.sql.as_bytes();
    let servers = house.catalog.board().views();
    let now = house.catalog.runtime().now();
    let asked = |transaction: Begun| {
        let question = Question {
            text,
            modes,
            database: question.database.as_deref().map(str::as_bytes),
            autocommit: question.autocommit,
            transaction,
            hints: &hints,
        };
        ask(spec, &question, &servers, now)
    };
    let begun = match question.transaction {
        TransactionState::None => Begun::Nothing,
        TransactionState::ReadWrite => Begun::ReadWrite,
        TransactionState::ReadOnly => Begun::ReadOnly,
    };
    let explanation = asked(begun);
    let mut without_literals = Vec::new();
    canonical(text, modes, &mut without_literals);
    let Explanation { statement, steps } = &explanation;
    Ok(RouteView {
        canonical: String::from_utf8_lossy(&without_literals).into_owned(),
        types: statement.mask.names().collect(),
        operation: statement.operation.name(),
        parsed: statement.parsed.name(),
        steps: steps.iter().map(step).collect(),
        in_transaction: if begun == Begun::Nothing {
            asked(Begun::ReadWrite).steps.first().map(step)
        } else {
            None
        },
    })
}

fn modes(sql_mode: &str) -> Result<Modes, Refusal> {
    let mut modes = Modes::default();
    for word in sql_mode.split(',').map(str::trim) {
        match word.to_ascii_uppercase().as_str() {
            "ORACLE" => modes.oracle = true,
            "ANSI_QUOTES" => modes.ansi_quotes = true,
            "NO_BACKSLASH_ESCAPES" => modes.no_backslash_escapes = true,
            _ => {}
        }
    }
    Ok(modes)
}

/// What a hintfilter of the service would take from the text, and then what was said in its place.
fn hints_of(
    house: &Live,
    spec: &ServiceSpec,
    question: &RouteQuestion,
    modes: Modes,
) -> Result<Vec<Hint>, Refusal> {
    let mut found = Vec::new();
    let config = house.catalog.config();
    let reads_hints = config.services.iter().any(|service| {
        *service.name == *spec.name
            && service.params.filters.iter().any(|name| {
                config
                    .filters
                    .iter()
                    .any(|filter| filter.name == *name && filter.module_name() == "hintfilter")
            })
    });
    if reads_hints && let Some(comment) = hints::find(question.sql.as_bytes(), modes) {
        // What is malformed is no hint to the filter either.
        found.extend(once(hints::parse(comment).ok().flatten()));
    }
    if let Some(words) = &question.hints {
        let comment = format!("maxscale {words}");
        let directive = hints::parse(comment.as_bytes())
            .map_err(|error| Refusal::Refused(vec![format!("'hints': {error}")]))?;
        found.extend(once(directive));
    }
    Ok(found)
}

fn once(directive: Option<Directive>) -> Option<Hint> {
    match directive? {
        Directive::Once(hint)
        | Directive::Begin {
            hint: Some(hint), ..
        } => Some(hint),
        Directive::Prepare { .. } | Directive::Begin { hint: None, .. } | Directive::End => None,
    }
}

fn step(step: &Step) -> RouteStep {
    let (rule, sentence) = step.rule;
    RouteStep {
        service: step.service.to_string(),
        router: step.router,
        rule,
        sentence,
        outcome: outcome(&step.outcome),
        candidates: step
            .candidates
            .iter()
            .map(|candidate| RouteCandidate {
                name: candidate.name.to_string(),
                is_service: candidate.is_service,
                state: candidate.state.clone(),
                rank: match candidate.rank {
                    Rank::Primary => "primary",
                    Rank::Secondary => "secondary",
                },
                lag: candidate.lag,
                connections: candidate.connections,
                operations: candidate.operations,
                chosen: candidate.chosen,
                verdict: candidate.verdict.clone(),
            })
            .collect(),
        effects: step
            .effects
            .iter()
            .map(|effect| (effect.name, effect.text.clone()))
            .collect(),
    }
}

fn outcome(outcome: &Outcome) -> RouteOutcome {
    match outcome {
        Outcome::One(target) => RouteOutcome::One(target.to_string()),
        Outcome::All { answer, to } => RouteOutcome::All {
            answer: answer.to_string(),
            to: to.iter().map(ToString::to_string).collect(),
        },
        Outcome::Answered(text) => RouteOutcome::Answered(text.clone()),
        Outcome::Refused(text) => RouteOutcome::Refused(text.clone()),
        Outcome::Ended(text) => RouteOutcome::Ended(text.clone()),
        Outcome::Waits => RouteOutcome::Waits,
    }
}
