//! Text to value, by the declared kind.

use crate::decl::{Kind, ParamDecl};
use crate::networks::Networks;
use crate::pattern::Pattern;
use crate::problem::{Fault, ValueFault};
use crate::quote;
use crate::secret::Secret;
use crate::suggest::nearest;
use crate::unit::{BareUnit, parse_size, parse_span, parse_throttling, print_span};
use crate::value::Value;

/// The text of a value on its way to being understood.
pub(crate) struct Written<'a> {
    /// The text after substitution.
    pub(crate) text: &'a str,
    /// It came from a form that says exactly what it means: no quotes are removed.
    pub(crate) literal: bool,
    /// What of it a message may quote.
    pub(crate) shown: &'a str,
}

impl Written<'_> {
    fn not(&self, wanted: &'static str, hint: &'static str) -> ValueFault {
        ValueFault::Not {
            got: quote::shown(self.shown),
            wanted,
            hint,
        }
    }

    fn out_of_range(&self, range: String) -> ValueFault {
        ValueFault::OutOfRange {
            got: quote::shown(self.shown),
            range,
        }
    }

    /// The text with the quotes of a quoted value removed.
    fn unquoted(&self) -> &str {
        if self.literal {
            self.text
        } else {
            quote::strip(self.text)
        }
    }
}

/// A value and what is to be said about the way it was written.
pub(crate) struct Parsed {
    pub(crate) value: Value,
    pub(crate) notes: Vec<Fault>,
}

impl From<Value> for Parsed {
    fn from(value: Value) -> Self {
        Self {
            value,
            notes: Vec::new(),
        }
    }
}

type Outcome = Result<Parsed, ValueFault>;

/// Understands `written` as a value of `decl`.
pub(crate) fn parse(decl: &ParamDecl, written: &Written<'_>) -> Outcome {
    if written.text.is_empty() && !written.literal {
        return empty(decl).map(Parsed::from);
    }
    let outcome = by_kind(decl, written);
    if outcome.is_err()
        && let Some((before, _)) = written.text.split_once(" #")
        && let cut = (Written {
            text: before.trim_end(),
            ..*written
        })
        && by_kind(decl, &cut).is_ok()
    {
        return Err(ValueFault::TrailingComment);
    }
    outcome
}

/// The meaning of `key=`.
fn empty(decl: &ParamDecl) -> Result<Value, ValueFault> {
    match decl.kind {
        Kind::List | Kind::References(_) => Ok(Value::List(Vec::new())),
        Kind::Mask { .. } | Kind::WordList { .. } => Ok(Value::Mask(0)),
        Kind::Throttling => Ok(Value::Throttling(crate::Throttling::OFF)),
        _ if decl.may_be_unset() => Ok(Value::Unset),
        Kind::Secret => Err(ValueFault::Empty {
            hint: "if the password is empty, write \"\"",
        }),
        _ if decl.mandatory => Err(ValueFault::Empty { hint: "" }),
        _ => Err(ValueFault::Empty {
            hint: "remove the line to get the default",
        }),
    }
}

fn by_kind(decl: &ParamDecl, written: &Written<'_>) -> Outcome {
    match decl.kind {
        Kind::Bool => boolean(decl, written),
        Kind::Int { min, max } => int(written, min, max),
        Kind::Count { min, max, auto } => count(written, min, max, auto),
        Kind::Size { auto } => size(written, auto),
        Kind::Duration {
            unit,
            whole_seconds,
            min_ms,
            signed,
        } => Span {
            unit,
            whole_seconds,
            min_ms,
            signed,
        }
        .parse(written),
        Kind::Word { words } => {
            let mut notes = Vec::new();
            let word = word(decl, words, written.text, written.shown, &mut notes)?;
            Ok(Parsed {
                value: Value::Word(word.1),
                notes,
            })
        }
        Kind::Mask { words } | Kind::WordList { words } => mask(decl, words, written),
        Kind::List | Kind::References(_) => {
            let separator = match decl.kind {
                Kind::References(to) => to.separator(),
                _ => ',',
            };
            Ok(Value::List(
                elements(written.text, separator)
                    .map(str::to_owned)
                    .collect(),
            )
            .into())
        }
        Kind::Text | Kind::Path => Ok(text(decl, written).into()),
        Kind::Module(_) | Kind::Reference(_) => Ok(unset_if_empty(written.unquoted()).into()),
        Kind::Secret => Ok(Value::Secret(Secret::new(written.unquoted())).into()),
        Kind::Pattern => pattern(written),
        Kind::Networks => Networks::parse(written.unquoted())
            .map(|networks| Value::Networks(networks).into())
            .map_err(|_| {
                written.not(
                    "a list of networks",
                    "write addresses, networks such as 10.0.0.0/8, localhost for UNIX sockets, or *",
                )
            }),
        Kind::Throttling => parse_throttling(written.text)
            .map(|throttling| Value::Throttling(throttling).into())
            .ok_or_else(|| {
                written.not(
                    "throttling",
                    "write count, window, suppress, such as 10, 1000ms, 10000ms",
                )
            }),
    }
}

fn unset_if_empty(text: &str) -> Value {
    match text {
        "" => Value::Unset,
        text => Value::Text(text.to_owned()),
    }
}

fn text(decl: &ParamDecl, written: &Written<'_>) -> Value {
    let text = written.unquoted();
    let text = respell(decl.spellings, text).unwrap_or(text);
    if decl.may_be_unset() {
        unset_if_empty(text)
    } else {
        Value::Text(text.to_owned())
    }
}

fn respell<'a>(pairs: &[(&'a str, &'a str)], word: &str) -> Option<&'a str> {
    let pair = pairs.iter().find(|(written, _)| *written == word);
    pair.map(|(_, meant)| *meant)
}

fn boolean(decl: &ParamDecl, written: &Written<'_>) -> Outcome {
    let mut notes = Vec::new();
    let meant = old_spelling(decl, written.text, &mut notes).unwrap_or(written.text);
    let value = match meant.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => true,
        "false" | "no" | "off" | "0" => false,
        _ => return Err(written.not("boolean", "write true or false")),
    };
    Ok(Parsed {
        value: Value::Bool(value),
        notes,
    })
}

fn old_spelling(decl: &ParamDecl, word: &str, notes: &mut Vec<Fault>) -> Option<&'static str> {
    let meant = respell(decl.old_spellings, word)?;
    notes.push(Fault::OldSpelling {
        word: word.to_owned(),
        instead: meant.to_owned(),
    });
    Some(meant)
}

fn int(written: &Written<'_>, min: i64, max: i64) -> Outcome {
    let negative = check_digits(written)?;
    let value = written.text.parse().ok();
    value
        .filter(|value| (min..=max).contains(value))
        .map(|value| Value::Int(value).into())
        .ok_or_else(|| written.out_of_range(range(min, max, i64::MAX, negative)))
}

fn count(written: &Written<'_>, min: u64, max: u64, auto: bool) -> Outcome {
    if auto && written.text == "auto" {
        return Ok(Value::Auto.into());
    }
    let negative = check_digits(written)?;
    let value = written.text.parse().ok();
    value
        .filter(|value| (min..=max).contains(value))
        .map(|value| Value::Count(value).into())
        .ok_or_else(|| {
            written.out_of_range(range(min, max, u64::MAX, negative || written.text == "0"))
        })
}

/// Refuses what is no whole number; tells whether it is negative.
fn check_digits(written: &Written<'_>) -> Result<bool, ValueFault> {
    let digits = written.text.strip_prefix('-').unwrap_or(written.text);
    if digits.ends_with('%') {
        return Err(written.not(
            "whole number",
            "percentages are not supported, write a number",
        ));
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(written.not("whole number", ""));
    }
    Ok(digits.len() < written.text.len())
}

/// What is allowed, without the limits that no one meets.
fn range<T: PartialOrd + std::fmt::Display>(min: T, max: T, highest: T, negative: bool) -> String {
    if max == highest && negative {
        format!("{min} or more")
    } else {
        format!("{min} to {max}")
    }
}

fn size(written: &Written<'_>, auto: bool) -> Outcome {
    if auto && written.text == "auto" {
        return Ok(Value::Auto.into());
    }
    parse_size(written.text)
        .map(|size| Value::Size(size).into())
        .ok_or_else(|| {
            written.not(
                "size",
                "write a number of bytes, with Ki, Mi, Gi, Ti or k, M, G, T if needed",
            )
        })
}

/// The rules of a duration.
struct Span {
    unit: BareUnit,
    whole_seconds: bool,
    min_ms: u64,
    signed: bool,
}

impl Span {
    fn parse(&self, written: &Written<'_>) -> Outcome {
        let wanted = "write a number with h, m, s or ms, such as 10s";
        let digits = match written.text.strip_prefix('-') {
            Some(digits) if self.signed && parse_span(digits, self.unit).is_some() => {
                return Ok(Value::Millis(-1).into());
            }
            Some(_) => return Err(written.not("duration", "it cannot be negative")),
            None => written.text,
        };
        let span = parse_span(digits, self.unit).ok_or_else(|| written.not("duration", wanted))?;
        let mut notes = Vec::new();
        if span.bare && span.milliseconds != 0 {
            notes.push(Fault::BareDuration {
                written: format!("{digits}{}", self.unit.suffix()),
            });
        }
        let milliseconds = self.rounded(span.milliseconds, written, &mut notes)?;
        if milliseconds < self.min_ms {
            let least = format!("{} or more", print_span(self.min_ms));
            return Err(written.out_of_range(least));
        }
        let value = Value::Millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
        Ok(Parsed { value, notes })
    }

    fn rounded(
        &self,
        milliseconds: u64,
        written: &Written<'_>,
        notes: &mut Vec<Fault>,
    ) -> Result<u64, ValueFault> {
        let rest = milliseconds % 1_000;
        if !self.whole_seconds || rest == 0 {
            return Ok(milliseconds);
        }
        let taken = milliseconds - rest;
        if taken == 0 {
            return Err(ValueFault::BelowSecond {
                got: quote::shown(written.shown),
            });
        }
        notes.push(Fault::RoundedDown {
            taken: print_span(taken),
        });
        Ok(taken)
    }
}

/// The index and the word meant by `text`.
fn word(
    decl: &ParamDecl,
    words: &'static [&'static str],
    text: &str,
    shown: &str,
    notes: &mut Vec<Fault>,
) -> Result<(usize, &'static str), ValueFault> {
    let position = |text: &str| words.iter().position(|word| *word == text);
    let found = position(text)
        .or_else(|| position(respell(decl.spellings, text)?))
        .or_else(|| position(old_spelling(decl, text, notes)?));
    let found = found.and_then(|index| Some((index, *words.get(index)?)));
    found.ok_or_else(|| ValueFault::BadWord {
        got: quote::shown(shown),
        nearest: nearest(text, words.iter().copied()).map(str::to_owned),
        words: words.to_vec(),
    })
}

fn mask(decl: &ParamDecl, words: &'static [&'static str], written: &Written<'_>) -> Outcome {
    let mut notes = Vec::new();
    let mut bits = 0;
    for element in elements(written.text, ',') {
        // What stands on the first line may be quoted, an element of a later one may not.
        let shown = if written.shown.contains(element) {
            element
        } else {
            written.shown
        };
        bits |= 1 << word(decl, words, element, shown, &mut notes)?.0;
    }
    Ok(Parsed {
        value: Value::Mask(bits),
        notes,
    })
}

/// The trimmed elements of a list; empty ones are dropped.
pub(crate) fn elements(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let parts = text.split(separator).map(str::trim);
    parts.filter(|part| !part.is_empty())
}

fn pattern(written: &Written<'_>) -> Outcome {
    let inner = written
        .text
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    let mut notes = Vec::new();
    let text = inner.unwrap_or_else(|| {
        notes.push(Fault::PatternWithoutSlashes);
        written.text.trim()
    });
    match Pattern::new(text) {
        Ok(pattern) => Ok(Parsed {
            value: Value::Pattern(pattern),
            notes,
        }),
        Err(reason) => Err(ValueFault::Pattern { reason }),
    }
}
