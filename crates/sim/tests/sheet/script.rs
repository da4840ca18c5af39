//! How a script is written.
//!
//! ```text
//! # S1: a session command, and a replica that disagrees.
//! service retry_failed_reads=true
//! servers P R1 R2
//! C connects
//! C > SET sql_mode='X'
//! P R1 R2 < SET sql_mode='X'
//! P > ok
//! C < ok
//! R2 > error 1231
//! R2 closed
//! [fail_on_write] P dies
//! ```
//!
//! `C` is the client, the others are servers, the first of which is the primary. `>` is what
//! somebody says, `<` what somebody is told; every other line is a thing that happens or that has
//! to be so. A line that begins with `[modes]` is for these failure modes only. In what is told, `*`
//! stands for anything.

/// One script.
#[derive(Debug)]
pub(crate) struct Script {
    /// Lines of the service's section.
    pub(crate) service: String,
    /// A hintfilter is in its chain.
    pub(crate) hints: bool,
    pub(crate) lines: Vec<Line>,
}

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// For these modes only; empty: for all.
    pub(crate) modes: Vec<String>,
    pub(crate) what: What,
}

/// What a line says.
#[derive(Debug)]
pub(crate) enum What {
    /// The servers, in their order.
    Servers(Vec<String>),
    /// Somebody says something.
    Says { who: String, text: String },
    /// Some are told something.
    Told { whom: Vec<String>, text: String },
    /// Anything else: who, and what of them.
    Of { who: String, text: String },
}

impl Script {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Script, String> {
        let mut script = Script {
            service: String::new(),
            hints: false,
            lines: Vec::new(),
        };
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(settings) = line.strip_prefix("service ") {
                script.service.push_str(&settings.replace(' ', "\n"));
                script.service.push('\n');
                continue;
            }
            if line == "hintfilter" {
                script.hints = true;
                continue;
            }
            let (modes, line) = split_modes(line);
            let what = what(line).ok_or_else(|| format!("line {number}: what is {line:?}?"))?;
            script.lines.push(Line {
                number,
                modes,
                what,
            });
        }
        Ok(script)
    }
}

impl Line {
    /// Is it for this mode?
    pub(crate) fn is_for(&self, mode: &str) -> bool {
        self.modes.is_empty() || self.modes.iter().any(|each| each == mode)
    }
}

fn split_modes(line: &str) -> (Vec<String>, &str) {
    match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((modes, rest)) => (words(modes), rest.trim()),
        None => (Vec::new(), line),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn what(line: &str) -> Option<What> {
    if let Some(names) = line.strip_prefix("servers ") {
        return Some(What::Servers(words(names)));
    }
    // Names stand before the first arrow; a statement may have arrows of its own.
    let arrow = line.split(' ').position(|word| word == ">" || word == "<");
    let Some(at) = arrow.filter(|at| line.split(' ').take(*at).all(is_name)) else {
        let (who, text) = line.split_once(' ').unwrap_or((line, ""));
        return Some(What::Of {
            who: who.to_owned(),
            text: text.trim().to_owned(),
        });
    };
    let mut parts = line.splitn(at + 2, ' ');
    let mut names: Vec<String> = parts.by_ref().take(at).map(str::to_owned).collect();
    let is_told = parts.next() == Some("<");
    let text = parts.next().unwrap_or_default().trim().to_owned();
    if is_told {
        return Some(What::Told { whom: names, text });
    }
    let who = names.pop()?;
    names.is_empty().then_some(What::Says { who, text })
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.chars().all(|each| each.is_ascii_alphanumeric())
}

/// Is `text` what the pattern says? `*` stands for anything.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[test]
fn patterns() {
    assert!(fits("a*c", "abc") && fits("a*", "a") && fits("*", "") && fits("a", "a"));
    assert!(!fits("a", "ab") && !fits("a*b", "ac") && !fits("a*b*c", "acb"));
}
