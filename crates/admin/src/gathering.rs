//! One gathering of all sessions for everybody who asks while it runs.
//!
//! Visiting every session costs the workers time, so lists that are asked for together are
//! answered from the same visit. Nothing is kept beyond it: whoever asks later gets a new one.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;

use crate::house::Unanswered;
use crate::views::SessionView;

type Outcome = Result<Arc<Vec<SessionView>>, Unanswered>;

/// Shares one gathering of all sessions among the requests that wait for it.
#[derive(Default)]
pub(crate) struct Gathering {
    current: Mutex<Weak<OnceCell<Outcome>>>,
}

impl Gathering {
    /// All sessions by ascending id. `gather` is called unless another caller's is running.
    pub(crate) async fn all(
        &self,
        gather: impl AsyncFnOnce() -> Result<Vec<SessionView>, Unanswered>,
    ) -> Outcome {
        let cell = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            current.upgrade().unwrap_or_else(|| {
                let cell = Arc::new(OnceCell::new());
                *current = Arc::downgrade(&cell);
                cell
            })
        };
        cell.get_or_init(async || gather().await.map(sorted))
            .await
            .clone()
    }
}

/// Views by ascending id.
pub(crate) fn sorted(mut views: Vec<SessionView>) -> Arc<Vec<SessionView>> {
    views.sort_unstable_by_key(|view| view.id);
    Arc::new(views)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn those_who_ask_meanwhile_get_the_same_gathering() {
        let gathering = Gathering::default();
        let (gate, runs) = (Semaphore::new(0), Cell::new(0));
        let ask = || {
            gathering.all(async || {
                runs.set(runs.get() + 1);
                gate.acquire().await.expect("open").forget();
                Ok(Vec::new())
            })
        };
        let open = async { gate.add_permits(1) };
        let (first, second, third, ()) = tokio::join!(ask(), ask(), ask(), open);
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!(runs.get(), 1);
        gate.add_permits(1);
        assert!(ask().await.is_ok());
        assert_eq!(runs.get(), 2, "what was gathered is not kept");
    }

    #[tokio::test]
    async fn a_stuck_worker_is_waited_for_once() {
        let gathering = Gathering::default();
        let runs = Cell::new(0);
        let ask = || {
            gathering.all(async || {
                runs.set(runs.get() + 1);
                yield_now().await;
                Err(Unanswered { worker: 1 })
            })
        };
        let (first, second) = tokio::join!(ask(), ask());
        assert!(first.is_err() && second.is_err());
        assert_eq!(runs.get(), 1);
    }
}
