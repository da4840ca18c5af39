//! Whatever stands in a file: no panic, and what is wrong is said with a line of the file.

use proptest::prelude::*;
use tidegate_config::load_text;

use crate::modules::registry;

/// A line that could be in a file, in whole or in part.
fn line() -> impl Strategy<Value = String> {
    let names = "[a-c]{1,2}|maxscale|db 1|@@x|";
    let values = prop_oneof![
        "[0-9]{1,21}(ms|s|h|Ki|%|)",
        "-?[0-9]{1,3}",
        "[a-c](,[a-c]|\\|[a-c]){0,3}",
        "true|off|auto|mariadbmon|readwritesplit|readconnroute|qlafilter|MySQLClient|cli|debugcli",
        "/[a-z(\\[]{0,4}/|\\$\\{[A-Z]{0,2}\\}?|\"{1,4}[a\\\\n$]{0,3}\"{0,4}",
        any::<String>(),
    ];
    let keys = "type|address|port|socket|module|router|protocol|service|servers|targets|cluster|\
                filters|user|password|threads|match|options|@include|wait_timeout|debug|\
                substitute_variables|log_throttling|weightby|max-connections|x";
    prop_oneof![
        names.prop_map(|name| format!("[{name}]")),
        "type=(server|service|listener|monitor|filter|include|sever)",
        (keys, values).prop_map(|(key, value)| format!("{key}={value}")),
        (keys, "[a-z0-9=,]{0,5}").prop_map(|(key, value)| format!("  {key}={value}")),
        "#[a-z]{0,3}|;|",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn any_file_is_loaded_or_refused(lines in prop::collection::vec(line(), 0..40)) {
        let text = lines.join("\n");
        let count = u32::try_from(text.split('\n').count()).unwrap();
        match load_text(&text, &registry()) {
            Ok(config) => {
                let again = load_text(config.export().reveal(), &registry());
                prop_assert!(again.is_ok(), "{}\n{}", text, again.unwrap_err());
            }
            Err(errors) => {
                prop_assert!(!errors.errors.is_empty());
                for problem in errors.errors.iter().chain(&errors.warnings) {
                    prop_assert!(problem.place.line <= count, "{problem}");
                    prop_assert!(!problem.to_string().contains('\n'), "{problem}");
                }
            }
        }
    }
}
