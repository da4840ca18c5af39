//! Where a statement would go: as a document, and as text for a terminal.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Look;
use crate::house::{RouteQuestion, TransactionState};
use crate::views::{RouteCandidate, RouteOutcome, RouteStep, RouteView};

/// The document.
pub(crate) fn route_document(
    service: &str,
    question: &RouteQuestion,
    view: &RouteView,
    look: &Look,
) -> Value {
    let url = look.base.collection(&format!("services/{service}/route"));
    let in_transaction = view.in_transaction.as_ref().map(|step| {
        json!({
            "rule": rule(step),
            "outcome": outcome(&step.outcome),
        })
    });
    json!({
        "links": { "self": url },
        "data": {
            "id": service,
            "type": "routes",
            "attributes": {
                "sql": question.sql,
                "canonical": view.canonical,
                "class": {
                    "types": view.types,
                    "operation": view.operation,
                    "parsed": view.parsed,
                },
                "context": {
                    "in_transaction": question.transaction != TransactionState::None,
                    "read_only": question.transaction == TransactionState::ReadOnly,
                    "autocommit": question.autocommit,
                    "database": question.database,
                    "hints": question.hints,
                    "sql_mode": question.sql_mode,
                },
                "summary": summary(view),
                "steps": view.steps.iter().map(step).collect::<Vec<_>>(),
                "in_transaction": in_transaction,
            },
        },
    })
}

fn rule(step: &RouteStep) -> Value {
    json!({ "name": step.rule, "text": step.sentence })
}

fn step(step: &RouteStep) -> Value {
    json!({
        "service": step.service,
        "router": step.router,
        "rule": rule(step),
        "outcome": outcome(&step.outcome),
        "candidates": step.candidates.iter().map(candidate).collect::<Vec<_>>(),
        "effects": step.effects.iter().map(effect).collect::<Vec<_>>(),
    })
}

fn effect((name, text): &(&'static str, String)) -> Value {
    json!({ "name": name, "text": text })
}

fn outcome(outcome: &RouteOutcome) -> Value {
    let (kind, targets, answer, text) = match outcome {
        RouteOutcome::One(target) => ("one", vec![target.as_str()], Some(target.as_str()), None),
        RouteOutcome::All { answer, to } => (
            "all",
            to.iter().map(String::as_str).collect(),
            Some(answer.as_str()),
            None,
        ),
        RouteOutcome::Answered(text) => ("proxy", vec![], None, Some(text)),
        RouteOutcome::Refused(text) => ("error", vec![], None, Some(text)),
        RouteOutcome::Ended(text) => ("end_of_session", vec![], None, Some(text)),
        RouteOutcome::Waits => ("wait", vec![], None, None),
    };
    json!({ "kind": kind, "targets": targets, "answer": answer, "text": text })
}

fn candidate(view: &RouteCandidate) -> Value {
    json!({
        "id": view.name,
        "type": if view.is_service { "services" } else { "servers" },
        "state": view.state,
        "rank": view.rank,
        "lag_seconds": view.lag.map(|lag| lag.as_secs()),
        "connections": view.connections,
        "operations": view.operations,
        "chosen": view.chosen,
        "verdict": view.verdict,
    })
}

/// Everything in one sentence.
fn summary(view: &RouteView) -> String {
    let Some(first) = view.steps.first() else {
        return String::new();
    };
    let goes = view
        .steps
        .iter()
        .map(|step| words(&step.outcome))
        .collect::<Vec<_>>()
        .join(", and there ");
    format!("{goes}. {}", first.sentence)
}

fn words(outcome: &RouteOutcome) -> String {
    match outcome {
        RouteOutcome::One(target) => format!("to {target}"),
        RouteOutcome::All { answer, to } => {
            format!("to {}, the answer comes from {answer}", to.join(", "))
        }
        RouteOutcome::Answered(text) => format!("nowhere, the proxy answers {text}"),
        RouteOutcome::Refused(text) => format!("nowhere, the client gets an error: {text}"),
        RouteOutcome::Ended(text) => format!("nowhere, the session ends: {text}"),
        RouteOutcome::Waits => "nowhere yet, it waits for a server".to_owned(),
    }
}

/// The same for a terminal.
pub(crate) fn route_text(question: &RouteQuestion, view: &RouteView) -> String {
    let mut text = String::new();
    let mut line = |content: &str| {
        // A statement may have lines of its own.
        let _ = writeln!(text, "{}", content.trim_end());
    };
    line(question.sql.trim());
    line("");
    line(&format!(
        "  class    {} ({}, {})",
        view.types.join(", "),
        view.operation,
        view.parsed
    ));
    for step in &view.steps {
        line(&format!("  rule     {}: {}", step.rule, step.sentence));
        line(&format!("  goes     {}", words(&step.outcome)));
        for (name, text) in &step.effects {
            line(&format!("  then     {name}: {text}"));
        }
        line("");
        line(&format!("  {} ({})", step.service, step.router));
        for row in table(&step.candidates) {
            line(&format!("  {row}"));
        }
        line("");
    }
    if let Some(step) = &view.in_transaction {
        line(&format!(
            "  In a transaction it would go {} ({}: {})",
            words(&step.outcome),
            step.rule,
            step.sentence
        ));
    }
    text
}

/// The candidates in columns; those that get the statement are marked.
fn table(candidates: &[RouteCandidate]) -> Vec<String> {
    let cells: Vec<[String; 5]> = candidates
        .iter()
        .map(|view| {
            [
                view.name.clone(),
                view.state.clone(),
                view.lag
                    .map_or_else(|| "-".to_owned(), |lag| format!("{} s", lag.as_secs())),
                view.connections.to_string(),
                view.operations.to_string(),
            ]
        })
        .collect();
    let titles = ["name", "state", "lag", "connections", "operations"];
    let width = |column: usize| {
        let longest = cells.iter().filter_map(|row| row.get(column));
        longest
            .map(|cell| cell.chars().count())
            .chain(titles.get(column).map(|title| title.len()))
            .max()
            .unwrap_or(0)
    };
    let row = |mark: &str, cells: &[&str], verdict: &str| {
        let mut line = format!("{mark} ");
        for (column, cell) in cells.iter().enumerate() {
            let _ = write!(line, "{cell:<width$}  ", width = width(column));
        }
        line + verdict
    };
    let mut rows = vec![row(" ", &titles, "verdict")];
    for (view, cells) in candidates.iter().zip(&cells) {
        let mark = if view.chosen { ">" } else { " " };
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        rows.push(row(mark, &cells, &view.verdict));
    }
    rows
}
