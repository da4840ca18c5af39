use super::*;
use crate::Modes;

fn route(route: Route) -> Hint {
    Hint::Route(route)
}

fn lag(value: &str) -> Hint {
    Hint::Parameter {
        name: "max_slave_replication_lag".into(),
        value: value.into(),
    }
}

#[track_caller]
fn check(text: &str, expect: Option<Directive>) {
    let comment = find(text.as_bytes(), Modes::default()).unwrap_or_default();
    assert_eq!(parse(comment), Ok(expect), "{text}");
}

#[track_caller]
fn check_error(text: &str, message: &str) {
    let comment = find(text.as_bytes(), Modes::default()).expect("a comment");
    let error = parse(comment).expect_err(text);
    assert_eq!(error.to_string(), message);
}

fn once(hint: Hint) -> Option<Directive> {
    Some(Directive::Once(hint))
}

#[test]
fn where_a_comment_may_be() {
    let master = || once(route(Route::Master));
    check("SELECT 1 -- maxscale route to master", master());
    check("SELECT 1; # maxscale route to master\n", master());
    check("SELECT /*maxscale route to master*/ 1", master());
    check("SELECT 1 --\tMaxScale ROUTE To Master  \r\n", master());
    check("SELECT '-- maxscale route to master'", None);
    check("SELECT `# maxscale route to master`", None);
    check("/* a */ SELECT 1 -- maxscale route to master", None);
    check("SELECT 1 /*! maxscale route to master */", None);
    check(
        "SELECT 1 /*!999999 x */ -- maxscale route to master",
        master(),
    );
    check("SELECT 1 -- maxscaled route to master", None);
    check("SELECT 1 --maxscale route to master", None);
    check("SELECT 1", None);
}

#[test]
fn what_a_hint_says() {
    check("# maxscale route to slave", once(route(Route::Slave)));
    check("# maxscale route to last", once(route(Route::Last)));
    check("# maxscale route to all", once(route(Route::All)));
    check(
        "# maxscale route to server db-1.example",
        once(route(Route::Server("db-1.example".into()))),
    );
    check(
        "# maxscale route to server 'my server'",
        once(route(Route::Server("my server".into()))),
    );
    check("# maxscale max_slave_replication_lag=5", once(lag("5")));
    check("# maxscale max_slave_replication_lag = '5'", once(lag("5")));
    check(
        "# maxscale x prepare route to slave",
        Some(Directive::Prepare {
            name: "x".into(),
            hint: route(Route::Slave),
        }),
    );
    check(
        "# maxscale x begin",
        Some(Directive::Begin {
            name: Some("x".into()),
            hint: None,
        }),
    );
    check(
        "# maxscale x start route to slave",
        Some(Directive::Begin {
            name: Some("x".into()),
            hint: Some(route(Route::Slave)),
        }),
    );
    check(
        "# maxscale begin max_slave_replication_lag=1",
        Some(Directive::Begin {
            name: None,
            hint: Some(lag("1")),
        }),
    );
    check("# maxscale end", Some(Directive::End));
    check("# maxscale stop", Some(Directive::End));
    check(
        "# maxscale route prepare route to slave",
        Some(Directive::Prepare {
            name: "route".into(),
            hint: route(Route::Slave),
        }),
    );
}

#[test]
fn malformed_hints_say_what_is_wrong() {
    check_error(
        "# maxscale route to server =(",
        "routing hint: expected the name of a server at byte 25 of the comment",
    );
    check_error(
        "# maxscale",
        "routing hint: expected a name, 'route', 'begin' or 'end' at byte 9 of the comment",
    );
    check_error(
        "# maxscale route to nowhere",
        "routing hint: expected 'master', 'slave', 'last', 'all' or 'server' at byte 18 of the comment",
    );
    check_error(
        "# maxscale route to master please",
        "routing hint: expected the end at byte 25 of the comment",
    );
    check_error(
        "# maxscale x prepare",
        "routing hint: expected 'route' or a parameter at byte 19 of the comment",
    );
    check_error(
        "# maxscale lag=",
        "routing hint: expected a value at byte 14 of the comment",
    );
    check_error(
        "# maxscale lag='5",
        "routing hint: expected a value at byte 16 of the comment",
    );
    check_error(
        "# maxscale x y",
        "routing hint: expected '=', 'prepare' or 'begin' at byte 13 of the comment",
    );
}

/// Follows the hints of statements in one session: the hint in force for each.
#[track_caller]
fn check_session(steps: &[(&str, Option<Hint>)]) {
    let mut stack = HintStack::default();
    for (text, expect) in steps {
        let comment = find(text.as_bytes(), Modes::default()).unwrap_or_default();
        let own = match parse(comment) {
            Ok(Some(directive)) => stack.apply(directive).unwrap_or_default(),
            _ => None,
        };
        let hint = own.or_else(|| stack.top().cloned());
        assert_eq!(&hint, expect, "{text}");
    }
}

#[test]
fn the_stack() {
    check_session(&[
        (
            "SELECT 1 -- maxscale fresh prepare max_slave_replication_lag=2",
            None,
        ),
        ("SELECT 2 -- maxscale fresh begin", Some(lag("2"))),
        ("SELECT 3 -- no hint", Some(lag("2"))),
        (
            "SELECT 4 -- maxscale route to master",
            Some(route(Route::Master)),
        ),
        (
            "SELECT 5 -- maxscale begin route to slave",
            Some(route(Route::Slave)),
        ),
        ("SELECT 6 -- maxscale end", Some(lag("2"))),
        (
            "SELECT 7 -- maxscale fresh prepare route to last",
            Some(lag("2")),
        ),
        ("SELECT 8 -- maxscale fresh begin", Some(route(Route::Last))),
        ("SELECT 9 -- maxscale end", Some(lag("2"))),
        ("SELECT 10 -- maxscale end", None),
        ("SELECT 11 -- maxscale end", None),
        ("SELECT 12 -- maxscale nobody begin", None),
        ("SELECT 13 -- maxscale route to server =(", None),
    ]);
}

#[test]
fn the_limits() {
    let mut stack = HintStack::default();
    let begin = || Directive::Begin {
        name: None,
        hint: Some(route(Route::Slave)),
    };
    for _ in 0..MAX_PUSHED {
        assert_eq!(stack.apply(begin()), Ok(None));
    }
    assert_eq!(
        stack.apply(begin()),
        Err(HintError::Full { limit: MAX_PUSHED })
    );
    let prepare = |index: usize| Directive::Prepare {
        name: format!("n{index}").into(),
        hint: route(Route::Slave),
    };
    for index in 0..MAX_NAMED {
        assert_eq!(stack.apply(prepare(index)), Ok(None));
    }
    assert_eq!(
        stack.apply(prepare(MAX_NAMED)),
        Err(HintError::Full { limit: MAX_NAMED })
    );
    assert_eq!(stack.apply(prepare(0)), Ok(None));
    let undefined = Directive::Begin {
        name: Some("nobody".into()),
        hint: None,
    };
    assert_eq!(stack.apply(Directive::End), Ok(None));
    assert_eq!(
        stack.apply(undefined),
        Err(HintError::Undefined {
            name: "nobody".into()
        })
    );
    assert_eq!(
        (stack.pushed().len(), stack.named().count()),
        (MAX_PUSHED - 1, MAX_NAMED)
    );
}
