//! Actions on configuration objects.

use tidegate_accounts::Refresh;
use tidegate_admin::house::{Control, Pending, Refusal, ServerStateChange, StateBit};
use tidegate_catalog::StateError;
use tidegate_monitors::AdminState;

use super::Live;

impl Control for Live {
    fn change_server_state(
        &self,
        server: &str,
        change: ServerStateChange,
    ) -> Pending<'_, Result<(), Refusal>> {
        let server = server.to_owned();
        Box::pin(async move {
            self.catalog
                .change_state(&server, state(change.bit), change.set, change.force)
                .await
                .map_err(|error| match error {
                    StateError::Unknown(_) => Refusal::Unknown,
                    StateError::Monitor(error) => Refusal::Refused(vec![error.to_string()]),
                })
        })
    }

    fn reload_accounts(&self, service: &str) -> Pending<'_, Result<(), Refusal>> {
        let service = service.to_owned();
        Box::pin(async move {
            match self.catalog.reload_accounts(&service).await {
                None => Err(Refusal::Unknown),
                Some(Refresh::Failed(reason)) => Err(Refusal::Refused(vec![reason])),
                Some(Refresh::Changed | Refresh::Unchanged | Refresh::NotNow) => Ok(()),
            }
        })
    }
}

fn state(bit: StateBit) -> AdminState {
    match bit {
        StateBit::Master => AdminState::Master,
        StateBit::Slave => AdminState::Slave,
        StateBit::Maintenance => AdminState::Maintenance,
        StateBit::Running => AdminState::Running,
        StateBit::Synced => AdminState::Synced,
        StateBit::Drain => AdminState::Drain,
    }
}
