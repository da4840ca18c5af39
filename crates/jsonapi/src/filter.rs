//! The filter language: `filter=POINTER=EXPR` and `filter[PATH]=EXPR`.
//!
//! ```text
//! EXPR := JSON | CMP '(' JSON ')' | 'and' LIST | 'or' LIST | 'not' LIST
//! CMP  := eq | ne | lt | le | gt | ge          LIST := '(' EXPR {',' EXPR} ')'
//! ```
//!
//! A bare JSON value means `eq` and is for `filter=` alone. A place that does not exist makes
//! every comparison false, `ne` too. Parsing is linear in the text, nesting is bounded.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::path::{Selector, parse_path, pointer_steps};
use crate::query::Query;

/// Deepest nesting of `and`, `or`, `not`.
const MAX_DEPTH: usize = 32;

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// `filter=` without an expression.
    #[error("filter '{0}': expected POINTER=EXPRESSION")]
    NoExpression(String),
    /// The path between brackets cannot be read.
    #[error("filter path '{path}': {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The expression cannot be read.
    #[error("filter expression '{expression}': {problem}")]
    Expression {
        /// The whole expression.
        expression: String,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// Why an expression cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No such function.
    #[error("unknown function '{0}', use eq, ne, lt, le, gt, ge, and, or, not")]
    Function(String),
    /// Not JSON where JSON must stand.
    #[error("'{0}' is not JSON; strings stand in double quotes")]
    Literal(String),
    /// A value alone where only functions may stand.
    #[error("a value alone is only possible with filter=, write eq(…)")]
    Bare,
    /// A parenthesis is missing.
    #[error("a ')' is missing")]
    Unbalanced,
    /// Something stands behind the end.
    #[error("'{0}' stands behind the end")]
    Trailing(String),
    /// Nested too deeply.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// All filters of a request; a row passes if each of them holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    rules: Vec<(Selector, Expr)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Compare(Comparison, Value),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Neither(Vec<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Filter {
    /// Reads the filters of a request.
    ///
    /// # Errors
    ///
    /// The first filter that cannot be read.
    pub fn of(query: &Query) -> Result<Self, FilterError> {
        let mut rules = Vec::new();
        for text in query.all("filter") {
            let (pointer, expression) = text
                .split_once('=')
                .ok_or_else(|| FilterError::NoExpression(text.to_owned()))?;
            let selector = Selector::Pointer(pointer_steps(pointer));
            rules.push((selector, parse(expression, true)?));
        }
        for (path, expression) in query.family("filter") {
            let steps = parse_path(path).map_err(|problem| FilterError::Path {
                path: path.to_owned(),
                problem,
            })?;
            rules.push((Selector::Path(steps), parse(expression, false)?));
        }
        Ok(Self { rules })
    }

    /// Whether every row passes, because there is nothing to check.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether this row passes. It must be complete: sparse fields are applied later.
    pub fn passes(&self, row: &Value) -> bool {
        self.rules.iter().all(|(selector, expr)| {
            let values = selector.find(row);
            if values.is_empty() {
                expr.holds(None)
            } else {
                values.into_iter().any(|value| expr.holds(Some(value)))
            }
        })
    }
}

impl Expr {
    fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Compare(comparison, literal) => {
                value.is_some_and(|value| comparison.holds(value, literal))
            }
            Self::All(inner) => inner.iter().all(|expr| expr.holds(value)),
            Self::Any(inner) => inner.iter().any(|expr| expr.holds(value)),
            Self::Neither(inner) => !inner.iter().any(|expr| expr.holds(value)),
        }
    }
}

impl Comparison {
    fn holds(self, value: &Value, literal: &Value) -> bool {
        match self {
            Self::Eq => equal(value, literal),
            Self::Ne => !equal(value, literal),
            Self::Lt => order(value, literal) == Some(Ordering::Less),
            Self::Le => matches!(
                order(value, literal),
                Some(Ordering::Less | Ordering::Equal)
            ),
            Self::Gt => order(value, literal) == Some(Ordering::Greater),
            Self::Ge => matches!(
                order(value, literal),
                Some(Ordering::Greater | Ordering::Equal)
            ),
        }
    }
}

/// Equality of all JSON types, numbers by value; a row's string of digits equals the number.
fn equal(value: &Value, literal: &Value) -> bool {
    match (value, literal) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| equal(a, b))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, a)| right.get(name).is_some_and(|b| equal(a, b)))
        }
        (Value::Number(_) | Value::String(_), Value::Number(_) | Value::String(_)) => {
            order(value, literal) == Some(Ordering::Equal)
        }
        _ => value == literal,
    }
}

/// The order of two numbers or of two strings; ids are strings of digits, and so that
/// `id=ge(50)` works, they compare with a number as numbers.
fn order(value: &Value, literal: &Value) -> Option<Ordering> {
    match (value, literal) {
        (Value::Number(left), Value::Number(right)) => numeric_order(left, right),
        (Value::String(left), Value::String(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Value::String(left), Value::Number(right)) => numeric_order(&digits(left)?, right),
        _ => None,
    }
}

fn digits(text: &str) -> Option<Number> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits {
        text.parse::<u64>().ok().map(Number::from)
    } else {
        None
    }
}

fn numeric_order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn parse(expression: &str, bare: bool) -> Result<Expr, FilterError> {
    let problem = |problem| FilterError::Expression {
        expression: expression.to_owned(),
        problem,
    };
    let mut parser = Parser {
        rest: expression.trim(),
        bare,
    };
    let expr = parser.expr(0).map_err(problem)?;
    if parser.rest.is_empty() {
        Ok(expr)
    } else {
        Err(problem(Problem::Trailing(parser.rest.to_owned())))
    }
}

struct Parser<'a> {
    rest: &'a str,
    bare: bool,
}

impl<'a> Parser<'a> {
    fn expr(&mut self, depth: usize) -> Result<Expr, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        let Some(name) = self.function() else {
            let literal = self.literal()?;
            return if self.bare {
                Ok(Expr::Compare(Comparison::Eq, literal))
            } else {
                Err(Problem::Bare)
            };
        };
        let comparison = match name {
            "eq" => Comparison::Eq,
            "ne" => Comparison::Ne,
            "lt" => Comparison::Lt,
            "le" => Comparison::Le,
            "gt" => Comparison::Gt,
            "ge" => Comparison::Ge,
            "and" => return self.list(depth).map(Expr::All),
            "or" => return self.list(depth).map(Expr::Any),
            "not" => return self.list(depth).map(Expr::Neither),
            _ => return Err(Problem::Function(name.to_owned())),
        };
        let literal = self.literal()?;
        self.close()?;
        Ok(Expr::Compare(comparison, literal))
    }

    /// A name with an opening parenthesis behind it; takes both.
    fn function(&mut self) -> Option<&'a str> {
        let (name, after) = self.rest.split_once('(')?;
        let name = name.trim();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_name.then(|| {
            self.rest = after.trim_start();
            name
        })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Expr>, Problem> {
        let mut inner = vec![self.expr(depth + 1)?];
        while let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest.trim_start();
            inner.push(self.expr(depth + 1)?);
        }
        self.close()?;
        Ok(inner)
    }

    fn literal(&mut self) -> Result<Value, Problem> {
        let (text, rest) = self
            .rest
            .split_at_checked(literal_len(self.rest))
            .unwrap_or((self.rest, ""));
        let value =
            serde_json::from_str(text).map_err(|_| Problem::Literal(text.trim_end().to_owned()))?;
        self.rest = rest;
        Ok(value)
    }

    fn close(&mut self) -> Result<(), Problem> {
        let rest = self.rest.strip_prefix(')').ok_or(Problem::Unbalanced)?;
        self.rest = rest.trim_start();
        Ok(())
    }
}

/// How far a JSON value at the start may reach: to the first comma or closing parenthesis that
/// stands neither in a string nor between brackets.
fn literal_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b')' if depth == 0 => return index,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
