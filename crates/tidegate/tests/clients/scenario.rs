//! The steps that every client runs.

const TEXT: &str = include_str!("scenario.txt");

/// Whether a step may fail without a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Success,
    Failure,
    Either,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) expect: Expect,
    pub(crate) verb: String,
    pub(crate) fields: Vec<String>,
}

/// All steps, with `fill` applied to the text of each.
pub(crate) fn steps(fill: impl Fn(&str) -> String) -> Vec<Step> {
    let mut texts: Vec<(usize, String)> = Vec::new();
    for (line, text) in (1..).zip(TEXT.lines()) {
        if text.starts_with('#') || text.is_empty() {
            continue;
        }
        if let Some(more) = text.strip_prefix(' ') {
            let (_, last) = texts.last_mut().expect("a line to go on with");
            last.push(' ');
            last.push_str(more.trim_start());
        } else {
            texts.push((line, text.to_owned()));
        }
    }
    let step = |(line, text): (usize, String)| parse(line, &fill(&text));
    texts.into_iter().map(step).collect()
}

fn parse(line: usize, text: &str) -> Step {
    let (expect, text) = match text.split_at(1) {
        ("!", rest) => (Expect::Failure, rest),
        ("?", rest) => (Expect::Either, rest),
        _ => (Expect::Success, text),
    };
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let fields = if rest.is_empty() {
        Vec::new()
    } else {
        rest.split(" | ").map(str::to_owned).collect()
    };
    Step {
        line,
        expect,
        verb: verb.to_owned(),
        fields,
    }
}

#[test]
fn a_step_is_read_with_all_its_lines() {
    let step = parse(7, "!batch INSERT INTO t VALUES (?, ?) | 1;one | 2;NULL");
    assert_eq!((step.line, step.expect), (7, Expect::Failure));
    assert_eq!(step.verb, "batch");
    assert_eq!(step.fields[1..], ["1;one", "2;NULL"]);
    let all = steps(|text| text.replace("<database>", "here"));
    assert!(all.len() > 80, "{} steps", all.len());
    assert!(all.iter().any(|it| it.fields.iter().any(|field| {
        field.starts_with("CREATE TABLE types (id INT") && field.ends_with("utf8mb4")
    })));
}
