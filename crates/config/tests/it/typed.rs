//! A loaded configuration as other rooms use it.

use std::path::Path;
use std::time::Duration;

use tidegate_config::{
    Loader, Locations, Machine, MemoryFiles, Secret, Target, View, load_text, modules,
};

use crate::modules::readconnroute::{ReadConnRouteParams, Role};
use crate::modules::readwritesplit::{MasterFailureMode, ReadWriteSplitParams};
use crate::modules::registry;

const CONFIGURATION: &str = "
[maxscale]
threads=auto
log_throttling=5, 2s, 3s
[db1]
type=server
address=10.0.0.1
[db2]
type=server
socket=/run/db2.sock
rank=secondary
[mon]
type=monitor
module=mariadbmon
servers=db2,db1
user=m
password=hunter2
[inner]
type=service
router=readconnroute
router_options=slave,master
cluster=mon
user=u
password=hunter2
[outer]
type=service
router=ReadWriteSplit
targets=db1,inner
user=u
password=hunter2
disable_sescmd_history=true
wait_timeout=1h
[listener]
type=listener
service=outer
port=4006
";

fn config() -> tidegate_config::Config {
    load_text(CONFIGURATION, &registry()).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn values_have_their_types() {
    let config = config();
    assert_eq!(config.servers[0].params.port, 3306);
    assert_eq!(
        config.servers[1].params.socket.as_deref(),
        Some("/run/db2.sock")
    );
    assert_eq!(
        config.maxscale.params.log.log_throttling.window(),
        Duration::from_secs(2)
    );
    assert!(config.monitors[0].params.password == Secret::new("hunter2"));
    assert_eq!(
        config.services[1].params.wait_timeout,
        Duration::from_secs(3600)
    );
    let own: ReadConnRouteParams = config.services[0].module_params();
    assert!(own.router_options.contains(Role::Master));
    assert!(!own.router_options.contains(Role::Running));
    assert_eq!(config.services[1].module_name(), "readwritesplit");
    let own: ReadWriteSplitParams = config.services[1].module_params();
    assert_eq!(own.master_failure_mode, MasterFailureMode::FailOnWrite);
}

#[test]
fn targets_are_servers_services_or_those_of_a_monitor() {
    let config = config();
    let server = |name: &str| Target::Server(name.into());
    assert_eq!(
        config.targets(&config.services[0]),
        [server("db2"), server("db1")]
    );
    let expected = [server("db1"), Target::Service("inner".into())];
    assert_eq!(config.targets(&config.services[1]), expected);
}

#[test]
fn derived_values_are_effective_and_written_ones_stay() {
    let registry = registry();
    let files = MemoryFiles::new().file("/x.cnf", CONFIGURATION);
    let machine = Machine {
        cores: 6,
        memory: tidegate_config::ByteSize(1_000_000),
    };
    let config = Loader::new(&files, &registry)
        .machine(machine)
        .locations(Locations::default())
        .load(Path::new("/x.cnf"))
        .unwrap();
    let globals = &config.maxscale.params;
    assert_eq!(globals.threads.threads, 6);
    assert_eq!(globals.statements.query_classifier_cache_size.0, 150_000);
    assert_eq!(globals.directories.logdir, Path::new("/var/log/tidegate"));
    let audit = globals.admin.admin_audit_file.as_deref();
    assert_eq!(audit, Some("/var/log/tidegate/admin_audit.csv"));
    assert_eq!(
        globals.directories.secretsdir.as_deref(),
        Some(Path::new("/var/lib/tidegate"))
    );
    let outer: ReadWriteSplitParams = config.services[1].module_params();
    assert!(!outer.master_reconnection);
    assert!(!config.export().reveal().contains("master_reconnection"));
    assert!(!config.export().reveal().contains("threads="));
}

#[test]
fn threads_are_limited() {
    let config = load_text("[maxscale]\nthreads=300\nthreads_max=4\n", &registry()).unwrap();
    assert_eq!(config.maxscale.params.threads.threads, 4);
    let warned = config
        .warnings
        .iter()
        .any(|warning| warning.to_string().contains("lowered to 4"));
    assert!(warned);
}

#[test]
fn rest_parameters_are_in_rests_units() {
    let config = config();
    let text = |text: &str| Some(View::Text(text.to_owned()));
    let monitor = config.monitors[0].parameters();
    assert_eq!(monitor.member("monitor_interval").cloned(), text("2000ms"));
    assert_eq!(monitor.member("password").cloned(), text("*****"));
    assert_eq!(monitor.member("type").cloned(), text("monitor"));
    assert_eq!(monitor.member("module").cloned(), text("mariadbmon"));
    assert_eq!(monitor.member("servers"), None);
    assert_eq!(monitor.member("detect_stale_master"), None);
    let service = config.services[0].parameters();
    assert_eq!(
        service.member("router_options").cloned(),
        text("master,slave")
    );
    assert_eq!(service.member("router").cloned(), text("readconnroute"));
    assert_eq!(service.member("version_string"), Some(&View::Null));
    assert_eq!(service.member("max_connections"), Some(&View::Count(0)));
    assert_eq!(
        service.member("retain_last_statements"),
        Some(&View::Int(-1))
    );
    let server = config.servers[1].parameters();
    assert_eq!(server.member("address"), Some(&View::Null));
    assert_eq!(server.member("port"), Some(&View::Null));
    assert_eq!(server.member("type"), None);
    let listener = config.listeners[0].parameters();
    assert_eq!(listener.member("service").cloned(), text("outer"));
    let nested = listener.member("MariaDBProtocol").unwrap();
    assert_eq!(nested.member("allow_replication"), Some(&View::Bool(true)));
    let globals = config.maxscale.parameters();
    let throttling = globals.member("log_throttling").unwrap();
    assert_eq!(throttling.member("suppress"), Some(&View::Count(3000)));
    let key_manager = globals.member("vault").unwrap();
    assert_eq!(key_manager.member("port"), Some(&View::Count(8200)));
}

#[test]
fn no_password_is_visible_anywhere() {
    let config = config();
    let shown = format!("{config:?}");
    assert!(
        shown.contains("hunter2") == shown.contains("*****hunter2") && !shown.contains("hunter2")
    );
    let broken = CONFIGURATION.replace("password=hunter2", "pasword=hunter2\nport hunter2");
    let errors = load_text(&broken, &registry()).unwrap_err();
    assert!(
        !format!("{errors} {errors:?}").contains("hunter2"),
        "{errors}"
    );
    for object in modules(&registry()) {
        assert!(!format!("{object:?}").contains("hunter2"));
    }
}

#[test]
fn an_empty_password_is_shown_as_empty() {
    let text = "[db1]\ntype=server\naddress=a\nmonitoruser=m\nmonitorpw=\"\"\n";
    let config = load_text(text, &registry()).unwrap();
    let shown = config.servers[0].parameters();
    assert_eq!(shown.member("monitorpw"), Some(&View::Text(String::new())));
}

struct Reversing;

impl tidegate_config::Decrypt for Reversing {
    fn decrypt(&self, cipher: &str) -> Result<Secret, String> {
        if cipher.starts_with('0') {
            return Err("bad padding".to_owned());
        }
        Ok(Secret::new(cipher.chars().rev().collect::<String>()))
    }
}

impl tidegate_config::Keys for Reversing {
    fn open(&self, directory: &Path) -> Result<Option<Box<dyn tidegate_config::Decrypt>>, String> {
        match directory.to_str() {
            Some("/none") => Ok(None),
            Some("/broken") => Err("the key is broken".to_owned()),
            _ => Ok(Some(Box::new(Reversing))),
        }
    }
}

#[test]
fn the_key_is_looked_for_where_the_main_file_says() {
    let registry = registry();
    let load = |globals: &str, password: &str| {
        let text = format!(
            "[maxscale]\n{globals}\n[db1]\ntype=server\naddress=a\nmonitoruser=m\nmonitorpw={password}\n"
        );
        let files = MemoryFiles::new().file("/x.cnf", text);
        Loader::new(&files, &registry)
            .keys(&Reversing)
            .load(Path::new("/x.cnf"))
            .map(|config| {
                let secret = config.servers[0].params.monitorpw.as_ref().unwrap();
                secret.reveal().to_owned()
            })
            .map_err(|errors| errors.to_string())
    };
    assert_eq!(load("", "AB12").unwrap(), "21BA");
    assert_eq!(load("datadir=/none", "AB12").unwrap(), "AB12");
    assert_eq!(
        load("datadir=/none\nsecretsdir=/s", "AB12").unwrap(),
        "21BA"
    );
    let errors = load("secretsdir=/broken", "AB12").unwrap_err();
    assert!(
        errors.contains("/x.cnf:1") && errors.contains("the key is broken"),
        "{errors}"
    );
    let errors = load("datadir=/none", "enc:v2:x:00").unwrap_err();
    assert!(errors.contains("there is no key file"), "{errors}");
}

#[test]
fn encrypted_passwords_are_decrypted_and_printed_as_they_were() {
    let registry = registry();
    let load = |password: &str| {
        let text = format!("[db1]\ntype=server\naddress=a\nmonitoruser=m\nmonitorpw={password}\n");
        let files = MemoryFiles::new().file("/x.cnf", text);
        Loader::new(&files, &registry)
            .keys(&Reversing)
            .load(Path::new("/x.cnf"))
    };
    let check = |password: &str, clear: &str| {
        let config = load(password).unwrap();
        let secret = config.servers[0].params.monitorpw.as_ref().unwrap();
        assert_eq!(secret.reveal(), clear);
        let printed = config.export();
        assert!(
            printed
                .reveal()
                .contains(&format!("monitorpw={password}\n"))
        );
    };
    check("AB12", "21BA");
    check("plain:AB12", "AB12");
    check("AB1", "AB1");
    check("\"ABCX\"", "ABCX");
    let errors = load("0012").unwrap_err().to_string();
    assert!(errors.contains("looks encrypted but cannot be decrypted with this key: bad padding"));
    assert!(!errors.contains("0012"));
}
