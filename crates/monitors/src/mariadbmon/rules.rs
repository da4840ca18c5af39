//! The parameters that decisions depend on, as decisions want them.

use std::collections::BTreeSet;

use super::params::{MariadbMonParams, MasterCondition, SlaveCondition};

/// The parameters that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `assume_unique_hostnames`: replication links are matched by `host:port`.
    pub unique_hostnames: bool,
    /// `failcount`, in ticks.
    pub failcount: u32,
    /// `master_conditions`.
    pub master: MasterConditions,
    /// `slave_conditions`.
    pub slave: SlaveConditions,
    /// `servers_no_promotion`, by name.
    pub no_promotion: BTreeSet<String>,
    /// `ignore_external_masters` of old files: say nothing of primaries outside the monitor.
    pub hide_external: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            unique_hostnames: true,
            failcount: 5,
            master: MasterConditions::default(),
            slave: SlaveConditions::default(),
            no_promotion: BTreeSet::new(),
            hide_external: false,
        }
    }
}

/// `master_conditions`, as far as they are built: what must hold of one and the same replica.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MasterConditions {
    /// `connecting_slave`
    pub connecting: bool,
    /// `connected_slave`
    pub connected: bool,
    /// `running_slave`
    pub running: bool,
}

/// `slave_conditions`, as far as they are built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlaveConditions {
    /// `linked_master`
    pub linked_master: bool,
    /// `running_master`
    pub running_master: bool,
    /// `writable_master`
    pub writable_master: bool,
}

impl Rules {
    /// Takes them from the module's parameters. Conditions about cooperating monitors and disk
    /// space always hold as long as those are not built.
    #[must_use]
    pub fn from_params(params: &MariadbMonParams) -> Self {
        let topology = &params.topology;
        let master = topology.master_conditions;
        let slave = topology.slave_conditions;
        Self {
            unique_hostnames: topology.assume_unique_hostnames,
            failcount: u32::try_from(topology.failcount).unwrap_or(u32::MAX),
            master: MasterConditions {
                connecting: master.contains(MasterCondition::ConnectingSlave),
                connected: master.contains(MasterCondition::ConnectedSlave),
                running: master.contains(MasterCondition::RunningSlave),
            },
            slave: SlaveConditions {
                linked_master: slave.contains(SlaveCondition::LinkedMaster),
                running_master: slave.contains(SlaveCondition::RunningMaster),
                writable_master: slave.contains(SlaveCondition::WritableMaster),
            },
            no_promotion: params
                .operations
                .servers_no_promotion
                .iter()
                .cloned()
                .collect(),
            hide_external: topology.ignore_external_masters,
        }
    }
}
