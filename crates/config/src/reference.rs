//! The reference page of all parameters, written from their declarations.

use std::fmt::Write as _;

use crate::check::common_table;
use crate::decl::{Change, Kind, ParamDecl, Shown, Standing, Table};
use crate::object::ObjectKind;
use crate::print::print;
use crate::registry::Registry;
use crate::unit::{BareUnit, print_span};
use crate::value::Value;

/// The page, in Markdown.
#[must_use]
pub fn reference_page(registry: &Registry) -> String {
    let mut page = String::from(INTRODUCTION);
    for kind in ObjectKind::WITH_PARAMETERS {
        if let Some(table) = common_table(kind) {
            chapter(&mut page, kind.plural(), table);
        }
    }
    for module in registry.modules() {
        if module.table.all().next().is_some() {
            let title = format!("the {} {}", module.kind.noun(), module.name);
            chapter(&mut page, &title, module.table);
        }
    }
    page
}

const INTRODUCTION: &str = "# Parameters

Written from the declarations in the program; do not edit.

*Change*: `restart`, a change counts after a restart; `new`, for sessions that begin after it;
`at once`. A *reserved* parameter accepts its default only, until it is built; an *ignored* one
accepts any value of its type and has no effect.
";

fn chapter(page: &mut String, title: &str, table: &'static Table) {
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "\n## Parameters of {title}\n\n{}\n\n\
         | name | type | default | change | |\n|---|---|---|---|---|\n",
        table.about
    );
    for decl in table.all().filter(|decl| decl.shown != Shown::Hidden) {
        let _ = writeln!(page, "{}", row(decl));
    }
}

fn row(decl: &ParamDecl) -> String {
    format!(
        "| `{}` | {} | {} | {} | {} |",
        decl.name,
        type_text(decl),
        default_text(decl),
        change_text(decl.change),
        escape(&remarks(decl)),
    )
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}

fn type_text(decl: &ParamDecl) -> String {
    match decl.kind {
        Kind::Bool => "boolean".to_owned(),
        Kind::Int { min, max } => bounded("integer", min, max, i64::MIN, i64::MAX),
        Kind::Count { min, max, auto } => {
            let text = bounded("count", min, max, 0, u64::MAX);
            if auto {
                format!("{text} or `auto`")
            } else {
                text
            }
        }
        Kind::Size { .. } => "size".to_owned(),
        Kind::Duration {
            unit,
            whole_seconds,
            min_ms,
            ..
        } => duration_text(unit, whole_seconds, min_ms),
        Kind::Word { words } => format!("one of {}", joined(words)),
        Kind::Mask { words } | Kind::WordList { words } => format!("any of {}", joined(words)),
        Kind::List => "texts".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Secret => "password".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Pattern => "regular expression".to_owned(),
        Kind::Networks => "addresses and networks, `*`, `localhost`".to_owned(),
        Kind::Throttling => "count, window, silence".to_owned(),
        Kind::Module(kind) => kind.noun().to_owned(),
        Kind::Reference(to) => to.noun().to_owned(),
        Kind::References(to) => format!(
            "{}, several separated by `{}`",
            to.noun(),
            escape(&to.separator().to_string())
        ),
    }
}

fn duration_text(unit: BareUnit, whole_seconds: bool, min_ms: u64) -> String {
    let mut text = String::from("duration");
    if whole_seconds {
        text.push_str(" in whole seconds");
    }
    if min_ms > 0 {
        text.push_str(&format!(", {} or more", print_span(min_ms)));
    }
    format!("{text} (a bare number: {})", unit.suffix())
}

fn bounded<T: PartialOrd + std::fmt::Display>(
    noun: &str,
    min: T,
    max: T,
    lowest: T,
    highest: T,
) -> String {
    match (min > lowest, max < highest) {
        (true, true) => format!("{noun}, {min} to {max}"),
        (true, false) => format!("{noun}, {min} or more"),
        (false, true) => format!("{noun}, at most {max}"),
        (false, false) => noun.to_owned(),
    }
}

fn joined(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(" ")
}

fn default_text(decl: &ParamDecl) -> String {
    let default = decl.default_value();
    let text = print(decl, &default);
    match default {
        _ if decl.mandatory => "mandatory".to_owned(),
        Value::Unset | Value::Secret(_) => "-".to_owned(),
        _ if text.is_empty() => "-".to_owned(),
        _ => format!("`{}`", escape(text.reveal())),
    }
}

fn change_text(change: Change) -> &'static str {
    match change {
        Change::Restart => "restart",
        Change::NewSessions => "new",
        Change::AtOnce => "at once",
    }
}

fn remarks(decl: &ParamDecl) -> String {
    let mut remarks = vec![decl.help.to_owned()];
    match decl.standing {
        Standing::Built => {}
        Standing::Reserved => remarks.push("*Reserved.*".to_owned()),
        Standing::Ignored => remarks.push("*Ignored.*".to_owned()),
    }
    if let Some(advice) = decl.deprecated {
        remarks.push(format!("*Deprecated: {advice}.*"));
    }
    let others: Vec<&str> = decl.names().skip(1).collect();
    if !others.is_empty() {
        remarks.push(format!("Also {}.", joined(&others)));
    }
    if let Some(release) = decl.since {
        remarks.push(match release {
            "tidegate" => "Tidegate only.".to_owned(),
            release => format!("Since {release}."),
        });
    }
    remarks.join(" ")
}
