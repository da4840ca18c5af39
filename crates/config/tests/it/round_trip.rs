//! parse(print(x)) = x, for every parameter there is.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use tidegate_config::{
    ByteSize, Config, Fault, Given, Kind, ModuleKind, Network, Networks, Object, ParamDecl,
    Pattern, Secret, Standing, Throttling, Value, load_text,
};

use crate::modules::registry;

/// A configuration with one object of each kind, and each module. Variables are substituted,
/// so that a printed value must not be taken for one.
const BASE: &str = "
[maxscale]
substitute_variables=true
[db1]
type=server
address=10.0.0.1
[mon]
type=monitor
module=mariadbmon
servers=db1
user=m
password=p
[qla]
type=filter
module=qlafilter
filebase=/x
[rcr]
type=service
router=readconnroute
servers=db1
filters=qla
user=u
password=p
[rws]
type=service
router=readwritesplit
servers=db1
user=u
password=p
[listener]
type=listener
service=rws
port=4006
";

fn base() -> Config {
    load_text(BASE, &registry()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Any value of a kind; `None` for names of objects and modules, which cannot be made up.
fn any_value(decl: &ParamDecl) -> Option<BoxedStrategy<Value>> {
    Some(match decl.kind {
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Int { min, max } => (min..=max).prop_map(Value::Int).boxed(),
        Kind::Count { min, max, .. } => (min..=max).prop_map(Value::Count).boxed(),
        Kind::Size { .. } => any::<u64>()
            .prop_map(|bytes| Value::Size(ByteSize(bytes)))
            .boxed(),
        Kind::Duration {
            whole_seconds,
            min_ms,
            signed,
            ..
        } => {
            let unit = if whole_seconds { 1_000 } else { 1 };
            let least = i64::try_from(min_ms / unit as u64).unwrap();
            let some = (least..=i64::from(u32::MAX)).prop_map(move |n| Value::Millis(n * unit));
            if signed {
                prop_oneof![some, Just(Value::Millis(-1))].boxed()
            } else {
                some.boxed()
            }
        }
        Kind::Word { words } => prop::sample::select(words).prop_map(Value::Word).boxed(),
        Kind::Mask { words } | Kind::WordList { words } => {
            (0..1_u64 << words.len()).prop_map(Value::Mask).boxed()
        }
        Kind::List => prop::collection::vec(any_element(), 0..4)
            .prop_map(Value::List)
            .boxed(),
        // What they may say is checked.
        Kind::Text if decl.name == "authenticator" => Just("Ed25519Auth,MariaDBAuth")
            .prop_map(|text| Value::Text(text.to_owned()))
            .boxed(),
        Kind::Text if decl.name == "authenticator_options" => Just("match_host=false")
            .prop_map(|text| Value::Text(text.to_owned()))
            .boxed(),
        Kind::Text if decl.name == "redirect_url" => Just("mariadb://[::1]:3306")
            .prop_map(|text| Value::Text(text.to_owned()))
            .boxed(),
        Kind::Text | Kind::Path => {
            let optional = decl.default == Given::Nothing && !decl.mandatory;
            let value = move |text: String| match text.as_str() {
                "" if optional => Value::Unset,
                _ => Value::Text(text),
            };
            any_text().prop_map(value).boxed()
        }
        Kind::Secret => any_text()
            .prop_map(|text| Value::Secret(Secret::new(text)))
            .boxed(),
        Kind::Pattern => "[a-z /#=$\n\"'.]{0,8}"
            .prop_map(|text| Value::Pattern(Pattern::new(&text).unwrap()))
            .boxed(),
        Kind::Networks => {
            let v4 = (any::<Ipv4Addr>(), 0..=32u8).prop_map(|(ip, bits)| (ip.into(), bits));
            let v6 = (any::<Ipv6Addr>(), 0..=128u8).prop_map(|(ip, bits)| (ip.into(), bits));
            let network = prop_oneof![v4, v6].prop_map(|(address, bits)| Network { address, bits });
            let networks = proptest::collection::vec(network, 1..4);
            (any::<bool>(), any::<bool>(), networks)
                .prop_map(|(anywhere, unix, networks)| {
                    Value::Networks(Networks {
                        anywhere,
                        unix,
                        networks,
                    })
                })
                .boxed()
        }
        Kind::Throttling => (any::<u32>(), any::<u32>(), any::<u32>())
            .prop_map(|(count, window_ms, suppress_ms)| {
                Value::Throttling(Throttling {
                    count,
                    window_ms,
                    suppress_ms,
                })
            })
            .boxed(),
        Kind::Module(_) | Kind::Reference(_) | Kind::References(_) => return None,
    })
}

/// Elements of lists, which hold no commas and no blanks at their ends.
fn any_element() -> impl Strategy<Value = String> {
    prop_oneof![
        "[^, \t\n\r]([^,]{0,6}[^,\\s])?",
        "\"\"\"[a\\\\$]{0,3}\"\"\"",
    ]
}

/// Texts full of what could be mistaken for something else.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ \t\n\r\"'#=$\\\\{}a0]{0,8}",
        "[ \t]{0,2}[a'\"]{0,3}[ \t]{0,2}",
        "a?\\$\\{[A-Z]{0,2}\\}?",
        "\\$[A-Z]{1,3}",
        "plain:[A-F0-9]{0,4}",
        "([A-F0-9]{2}){0,4}",
        "\"\"\"[a\\\\$\"]{0,4}\"\"\"",
    ]
}

/// Replaces the value of one parameter of one object.
fn with(mut config: Config, subject: &Subject, value: &Value) -> Config {
    fn put<P>(objects: &mut [Object<P>], subject: &Subject, value: &Value) {
        for object in objects
            .iter_mut()
            .filter(|object| object.name == subject.object)
        {
            object.whole.set(subject.decl.name, value.clone());
        }
    }
    put(std::slice::from_mut(&mut config.maxscale), subject, value);
    put(&mut config.servers, subject, value);
    put(&mut config.monitors, subject, value);
    put(&mut config.filters, subject, value);
    put(&mut config.services, subject, value);
    put(&mut config.listeners, subject, value);
    config
}

/// One parameter of one object.
#[derive(Debug, Clone)]
struct Subject {
    object: String,
    decl: &'static ParamDecl,
}

/// What changes the meaning of other values in the same file.
const SWITCHES: [&str; 3] = ["debug", "substitute_variables", "persistdir"];

/// All parameters whose values can be made up.
fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (object, values) in whole(&base()) {
        for (decl, _) in values.iter() {
            let open = decl.standing != Standing::Reserved && any_value(decl).is_some();
            if open && !SWITCHES.contains(&decl.name) {
                subjects.push(Subject {
                    object: object.clone(),
                    decl,
                });
            }
        }
    }
    subjects
}

/// The values of all objects.
fn whole(config: &Config) -> Vec<(String, tidegate_config::Values)> {
    let mut all = vec![("maxscale".to_owned(), config.maxscale.whole.clone())];
    all.extend(
        config
            .servers
            .iter()
            .map(|o| (o.name.clone(), o.whole.clone())),
    );
    all.extend(
        config
            .monitors
            .iter()
            .map(|o| (o.name.clone(), o.whole.clone())),
    );
    all.extend(
        config
            .filters
            .iter()
            .map(|o| (o.name.clone(), o.whole.clone())),
    );
    all.extend(
        config
            .services
            .iter()
            .map(|o| (o.name.clone(), o.whole.clone())),
    );
    all.extend(
        config
            .listeners
            .iter()
            .map(|o| (o.name.clone(), o.whole.clone())),
    );
    all
}

#[test]
fn every_module_is_in_the_base() {
    let config = base();
    let registry = registry();
    let routers: Vec<&str> = config.services.iter().map(Object::module_name).collect();
    for module in registry.of(ModuleKind::Router) {
        assert!(
            module.name == "cli" || routers.contains(&module.name),
            "{}",
            module.name
        );
    }
}

/// Whether a value is only refused for what the base holds besides it.
fn is_about_other_values(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Rule(_) | Fault::Missing { .. } | Fault::OnlyOne { .. } | Fault::PortClash { .. }
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn what_is_printed_reads_back(
        (subject, value) in prop::sample::select(subjects()).prop_flat_map(|subject| {
            let value = any_value(subject.decl).unwrap();
            (Just(subject), value)
        })
    ) {
        let config = with(base(), &subject, &value);
        let printed = config.export();
        let told = format!("{} of {} = {value:?}\n{}", subject.decl.name, subject.object, printed.reveal());
        match load_text(printed.reveal(), &registry()) {
            Ok(read) => prop_assert!(whole(&read) == whole(&config), "{told}"),
            Err(errors) => prop_assert!(
                errors.errors.iter().all(|problem| is_about_other_values(&problem.fault)),
                "{told}\n{errors}"
            ),
        }
    }

    /// All texts, passwords, patterns and lists at once: they have the most ways to go wrong.
    #[test]
    fn texts_read_back(values in text_values()) {
        let config = values.iter().fold(base(), |config, (subject, value)| with(config, subject, value));
        let printed = config.export();
        match load_text(printed.reveal(), &registry()) {
            Ok(read) => prop_assert!(whole(&read) == whole(&config), "{}", printed.reveal()),
            Err(errors) => prop_assert!(false, "{}\n{errors}", printed.reveal()),
        }
    }
}

fn text_values() -> impl Strategy<Value = Vec<(Subject, Value)>> {
    let about_others = [
        "address",
        "socket",
        "monitoruser",
        "monitorpw",
        "admin_host",
        "admin_jwt_key",
    ];
    let of_their_own_form = ["connection_metadata", "auto_tune"];
    subjects()
        .into_iter()
        .filter(|subject| !about_others.contains(&subject.decl.name))
        .filter(|subject| !of_their_own_form.contains(&subject.decl.name))
        .filter(|subject| {
            matches!(
                subject.decl.kind,
                Kind::Text | Kind::Path | Kind::Secret | Kind::Pattern | Kind::List
            )
        })
        .map(|subject| {
            let value = any_value(subject.decl).unwrap();
            value.prop_map(move |value| (subject.clone(), value))
        })
        .collect::<Vec<_>>()
}
