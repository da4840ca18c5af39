//! Monitors: what all of them have in common.

use std::time::Duration;

use crate::decl::{ModuleKind, Refers};
use crate::declare::{
    count, millis, optional_text, references, required_module, required_secret, required_text,
    seconds,
};
use crate::secret::Secret;
use crate::word::WordSet;

crate::words! {
    /// Something that happened to a server.
    pub enum MonitorEvent {
        /// Every event.
        All = "all",
        MasterDown = "master_down",
        MasterUp = "master_up",
        SlaveDown = "slave_down",
        SlaveUp = "slave_up",
        ServerDown = "server_down",
        ServerUp = "server_up",
        SyncedDown = "synced_down",
        SyncedUp = "synced_up",
        DonorDown = "donor_down",
        DonorUp = "donor_up",
        LostMaster = "lost_master",
        LostSlave = "lost_slave",
        LostSynced = "lost_synced",
        LostDonor = "lost_donor",
        NewMaster = "new_master",
        NewSlave = "new_slave",
        NewSynced = "new_synced",
        NewDonor = "new_donor",
    }
}

const ALL_EVENTS: u64 = (MonitorEvent::NewDonor.bit() << 1) - 1;

/// One second, the shortest timeout of a monitor's connection.
const SECOND_MS: i64 = 1_000;

crate::params! {
    /// Parameters of a monitor, common to all modules.
    pub struct MonitorParams {
        /// The module that watches.
        module: String = required_module(ModuleKind::Monitor).attribute(),
        /// Account on the servers.
        user: String = required_text().runtime(),
        /// Password of that account.
        password: Secret = required_secret().old_names(&["passwd"]).runtime(),
        /// The servers it watches; their order decides ties.
        servers: Vec<String> = references(Refers::Server).runtime().relation(),
        /// Time from one round to the next.
        monitor_interval: Duration = millis(2_000).at_least(100).at_once(),
        /// Longest time a connect may take.
        backend_connect_timeout: Duration = seconds(3).at_least(SECOND_MS).at_once(),
        /// Longest time sending may take.
        backend_write_timeout: Duration = seconds(3).at_least(SECOND_MS).at_once(),
        /// Longest time an answer may take.
        backend_read_timeout: Duration = seconds(3).at_least(SECOND_MS).at_once(),
        /// Connects tried before a server counts as down.
        backend_connect_attempts: u64 = count(1).at_least(1).at_once(),
        /// Fill of disks above which a server counts as low on space, `path:percent`.
        disk_space_threshold: Option<String> = optional_text().at_once().reserved(),
        /// How often disks are looked at. 0: never.
        disk_space_check_interval: Duration = millis(0).at_once().reserved(),
        /// Command run when something happens to a server.
        script: Option<String> = optional_text().at_once().reserved(),
        /// Longest time the command may take.
        script_timeout: Duration = seconds(90).at_once().reserved(),
        /// What has to happen for the command to be run.
        events: WordSet<MonitorEvent> = MonitorEvent::mask(ALL_EVENTS).at_once().reserved(),
        /// Remembered states older than this are not used at start.
        journal_max_age: Duration = seconds(28_800).at_once().reserved(),
    }
}
