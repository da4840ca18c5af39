//! The parameters of mariadbmon, and which of them follow from others.

use std::path::PathBuf;
use std::time::Duration;

use tidegate_config::declare::{
    count, flag, int, optional_path, optional_secret, optional_text, port, references, seconds,
    text,
};
use tidegate_config::{
    ModuleDecl, ModuleKind, Params as _, Refers, RuleScope, Secret, WordSet, params, words,
};

words! {
    /// What is asked of a server to be the primary, besides being chosen.
    pub enum MasterCondition {
        None = "none",
        /// A replica tries to connect to it.
        ConnectingSlave = "connecting_slave",
        /// A replica is connected to it.
        ConnectedSlave = "connected_slave",
        /// A replica of it runs.
        RunningSlave = "running_slave",
        /// The monitor in charge takes it for the primary.
        PrimaryMonitorMaster = "primary_monitor_master",
        DiskSpaceOk = "disk_space_ok",
    }
}

words! {
    /// What is asked of a server to be a replica, besides replicating.
    pub enum SlaveCondition {
        /// Every link from it to the primary is up.
        LinkedMaster = "linked_master",
        /// The primary runs.
        RunningMaster = "running_master",
        /// The primary can be written to.
        WritableMaster = "writable_master",
        /// The monitor in charge takes its primary for the primary.
        PrimaryMonitorMaster = "primary_monitor_master",
        None = "none",
        DiskSpaceOk = "disk_space_ok",
    }
}

words! {
    /// Which locks make a monitor the one in charge.
    pub enum CooperativeLocks {
        None = "none",
        MajorityOfRunning = "majority_of_running",
        MajorityOfAll = "majority_of_all",
    }
}

words! {
    /// What follows from a failed write test.
    pub enum WriteTestFailAction {
        Log = "log",
        Failover = "failover",
    }
}

const DEFAULT_MASTER_CONDITIONS: u64 =
    MasterCondition::PrimaryMonitorMaster.bit() | MasterCondition::DiskSpaceOk.bit();

const CONDITIONS: &str = "use master_conditions or slave_conditions";

params! {
    /// Which server is what.
    pub struct TopologyParams {
        /// Servers name each other as they are named here.
        assume_unique_hostnames: bool = flag(true).at_once(),
        /// What is asked of a server to be the primary.
        master_conditions: WordSet<MasterCondition> =
            MasterCondition::mask(DEFAULT_MASTER_CONDITIONS).at_once(),
        /// What is asked of a server to be a replica.
        slave_conditions: WordSet<SlaveCondition> =
            SlaveCondition::mask(SlaveCondition::None.bit()).at_once(),
        /// Rounds a primary must be down before it is given up.
        failcount: u64 = count(5).at_once(),
        /// Clear `read_only` on the primary.
        enforce_writable_master: bool = flag(false).at_once().reserved(),
        /// Set `read_only` on replicas.
        enforce_read_only_slaves: bool = flag(false).at_once().reserved(),
        /// Set `read_only` on every server that is not the primary.
        enforce_read_only_servers: bool = flag(false).at_once().reserved(),
        /// Put a server that is low on disk space into maintenance.
        maintenance_on_low_disk_space: bool = flag(true).at_once().reserved(),
        /// Which locks make this monitor the one in charge.
        cooperative_monitoring_locks: CooperativeLocks =
            CooperativeLocks::None.param().at_once().reserved(),
        /// Seconds of lag beyond which the script is run. Negative: never.
        script_max_replication_lag: i64 = int(-1).at_once().reserved(),
        /// One primary and its replicas, nothing else.
        enforce_simple_topology: bool = flag(false).at_once().reserved(),
        /// Of old files: a primary without replicas stays the primary.
        detect_stale_master: bool = flag(true).hidden().deprecated(CONDITIONS),
        /// Of old files: a replica without primary stays a replica.
        detect_stale_slave: bool = flag(true).hidden().deprecated(CONDITIONS),
        /// Of old files: a single server is the primary.
        detect_standalone_master: bool = flag(true).hidden().deprecated(CONDITIONS),
        /// Of old files: hide links to servers that are not monitored.
        ignore_external_masters: bool = flag(false).hidden().deprecated("remove it"),
    }
}

params! {
    /// Operations on the cluster.
    pub struct OperationParams {
        /// Replace a lost primary.
        auto_failover: bool = flag(false).at_once().reserved(),
        /// Make servers that come back replicas.
        auto_rejoin: bool = flag(false).at_once().reserved(),
        /// Move the primary's role when it is low on disk space.
        switchover_on_low_disk_space: bool = flag(false).at_once().reserved(),
        /// Account that replicas use.
        replication_user: Option<String> = optional_text().at_once().reserved(),
        /// Password of that account.
        replication_password: Option<Secret> = optional_secret().at_once().reserved(),
        /// Replicate over TLS.
        replication_master_ssl: bool = flag(false).at_once().reserved(),
        /// Text appended to the statement that starts replication.
        replication_custom_options: Option<String> = optional_text().at_once().reserved(),
        /// Longest time of a failover.
        failover_timeout: Duration = seconds(90).at_once().reserved(),
        /// Longest time of a switchover.
        switchover_timeout: Duration = seconds(90).at_once().reserved(),
        /// Ask the replicas whether the primary is really lost.
        verify_master_failure: bool = flag(true).at_once().reserved(),
        /// How long the replicas must have heard nothing from it.
        master_failure_timeout: Duration = seconds(10).at_once().reserved(),
        /// Servers that never become the primary.
        servers_no_promotion: Vec<String> = references(Refers::Server).at_once().reserved(),
        /// File of statements run on a new primary.
        promotion_sql_file: Option<PathBuf> = optional_path().at_once().reserved(),
        /// File of statements run on an old primary.
        demotion_sql_file: Option<PathBuf> = optional_path().at_once().reserved(),
        /// Move scheduled events along with the primary's role.
        handle_events: bool = flag(true).old_names(&["handle_server_events"])
            .at_once().reserved(),
        /// How often the primary is written to. 0: never.
        write_test_interval: Duration = seconds(0).at_once().since("24.08").reserved(),
        /// Table that is written to.
        write_test_table: String = text("mxs.maxscale_write_test")
            .at_once().since("24.08").reserved(),
        /// What follows from a failed write.
        write_test_fail_action: WriteTestFailAction =
            WriteTestFailAction::Log.param().at_once().since("24.08").reserved(),
    }
}

params! {
    /// Copies of servers, and ColumnStore.
    pub struct BackupParams {
        /// User for ssh.
        ssh_user: Option<String> = optional_text().reserved(),
        /// Key file for ssh.
        ssh_keyfile: Option<PathBuf> = optional_path().reserved(),
        /// Check the keys of hosts.
        ssh_check_host_key: bool = flag(true).at_once().reserved(),
        /// Longest time of an ssh connect.
        ssh_timeout: Duration = seconds(10).at_once().reserved(),
        /// Port of ssh.
        ssh_port: u16 = port(22).at_once().reserved(),
        /// Port over which a server is copied.
        rebuild_port: u16 = port(4444).at_once().reserved(),
        /// Memory the backup tool may use.
        mariabackup_use_memory: String = text("1G")
            .old_names(&["mariadb_backup_use_memory"]).at_once().reserved(),
        /// Threads the backup tool may use.
        mariabackup_parallel: i64 = int(1).range(1, 1000)
            .old_names(&["mariadb_backup_parallel"]).at_once().reserved(),
        /// Host that backups are kept on.
        backup_storage_address: Option<String> = optional_text().at_once().reserved(),
        /// Directory that backups are kept in.
        backup_storage_path: Option<String> = optional_text().at_once().reserved(),
        /// Port of the ColumnStore administration.
        cs_admin_port: u16 = port(8640).reserved(),
        /// Key of the ColumnStore administration.
        cs_admin_api_key: Option<String> = optional_text().reserved(),
        /// Base path of the ColumnStore administration.
        cs_admin_base_path: String = text("/cmapi/0.4.0").reserved(),
    }
}

params! {
    /// Parameters of mariadbmon.
    pub struct MariadbMonParams {
        ..topology: TopologyParams,
        ..operations: OperationParams,
        ..backup: BackupParams,
    }
}

/// What the configuration knows of mariadbmon.
pub static MODULE: ModuleDecl = ModuleDecl::new(
    ModuleKind::Monitor,
    "mariadbmon",
    "Watches a primary and its replicas.",
    MariadbMonParams::TABLE,
)
.aliases(&["mysqlmon"])
.rule(derive);

/// What old names mean in terms of the new ones, and what does not go together.
fn derive(scope: &mut RuleScope<'_>) {
    let mut own: TopologyParams = scope.params();
    if !own.detect_stale_master {
        own.master_conditions = own.master_conditions.with(MasterCondition::RunningSlave);
    }
    if !own.detect_stale_slave {
        own.slave_conditions = own.slave_conditions.with(SlaveCondition::LinkedMaster);
    }
    if !own.detect_standalone_master {
        own.master_conditions = own.master_conditions.with(MasterCondition::ConnectingSlave);
    }
    scope.replace(&own);
}
