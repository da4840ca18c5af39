//! Actions on configuration objects.

use std::sync::Arc;

use tidegate_accounts::Refresh;
use tidegate_admin::house::{
    Control, GlobalChange, Pending, Refusal, ServerStateChange, StateBit, Switch, Switchable,
};
use tidegate_catalog::StateError;
use tidegate_config::{Word as _, altered};
use tidegate_keys::KeyError;
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

    fn reopen_logs(&self) {
        self.log.reopen();
    }

    fn alter_globals(&self, change: GlobalChange) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(async move {
            // Before the keys, of which anything may be wrong: what was asked for is done whole.
            let threads = change
                .threads
                .map(|count| self.catalog.check_workers(count));
            threads
                .transpose()
                .map_err(|reason| Refusal::Refused(vec![reason]))?;
            self.alter_keys(&change.keys).await?;
            match change.threads {
                Some(count) => self.set_threads(count),
                None => Ok(()),
            }
        })
    }

    fn switch(&self, what: Switchable, name: &str, to: Switch) -> Pending<'_, Result<(), Refusal>> {
        let name = name.to_owned();
        let on = to == Switch::Start;
        Box::pin(async move {
            let known = match what {
                Switchable::Service => self.catalog.switch_service(&name, on),
                Switchable::Listener => self.catalog.switch_listener(&name, on),
                Switchable::Monitor => return self.switch_monitor(&name, on).await,
            };
            if !known {
                return Err(Refusal::Unknown);
            }
            if to == (Switch::Stop { force: true }) {
                self.end_sessions(|session| match what {
                    Switchable::Service => *session.service == *name,
                    Switchable::Listener => *session.listener == *name,
                    Switchable::Monitor => false,
                })
                .await?;
            }
            Ok(())
        })
    }
}

impl Live {
    fn set_threads(&self, count: u64) -> Result<(), Refusal> {
        let before = self.catalog.workers();
        self.catalog
            .set_workers(count)
            .map_err(|reason| Refusal::Refused(vec![reason]))?;
        tracing::info!("threads changed from {before} to {count}");
        Ok(())
    }

    /// The key manager with these parameters changed; its file is read again in any case.
    async fn alter_keys(&self, changes: &[(String, Option<String>)]) -> Result<(), Refusal> {
        let before = self.keys.params();
        let passwords = &self.catalog.config().passwords;
        let params = altered(&before, changes, passwords).map_err(Refusal::Refused)?;
        let manager = params.key_manager;
        let keys = Arc::clone(&self.keys);
        tokio::task::spawn_blocking(move || keys.alter(params))
            .await
            .map_err(|_| KeyError::Defect("changing the key manager panicked"))
            .flatten()
            .map_err(|error| Refusal::Refused(vec![error.to_string()]))?;
        if before.key_manager != manager {
            tracing::info!(
                "key_manager changed from {} to {}",
                before.key_manager.word(),
                manager.word()
            );
        }
        Ok(())
    }

    async fn switch_monitor(&self, name: &str, on: bool) -> Result<(), Refusal> {
        let monitor = self.catalog.monitor(name).ok_or(Refusal::Unknown)?;
        let outcome = if on {
            monitor.start().await
        } else {
            monitor.stop().await
        };
        outcome.map_err(|error| Refusal::Refused(vec![error.to_string()]))
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
