//! The system's login services (PAM), asked by helper processes.
//!
//! A module of PAM may wait for as long as it likes, and may bring its process down; neither may reach a
//! client of somebody else. So each question goes to a process of its own program, which is started when it is
//! needed, ended when it takes too long, and replaced when it dies. A helper answers one question at a time,
//! and ends when its input does. A service takes no more of them than its share, so that one that hangs leaves
//! room for the others.
//!
//! Left out: what PAM is told and says, which is the helper's affair.

mod helper;
mod message;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_runtime::log::Log;
use tidegate_session::{LOGIN_TIMEOUT, Level};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use helper::Helper;

pub use helper::Asker;
pub use message::{LoginAnswer, LoginQuestion, serve};

/// The word on the command line that makes a process a helper.
pub const HELPER: &str = "pam-helper";

/// The program that is asked with `pam_mode=suid`, beside that of the proxy.
pub const SUID_PROGRAM: &str = "tidegate-pam-helper";

/// So many questions are asked at the same time.
const QUESTIONS: usize = 32;

/// So many of them are for one service.
const QUESTIONS_OF_SERVICE: usize = 8;

/// So many helpers are kept at rest.
const IDLE: usize = 8;

/// What has not been answered by then is given up: the client has been, too.
const PATIENCE: Duration = LOGIN_TIMEOUT;

/// Asks a service once, by a helper that ends afterwards.
///
/// # Errors
/// Why it could not be asked.
pub fn ask_login_service(asker: &Asker, question: &LoginQuestion) -> Result<LoginAnswer, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let deadline = Instant::now() + PATIENCE;
        let mut helper = Helper::start(asker).await?;
        ask_by(&mut helper, question, deadline).await
    })
}

/// What a helper is told; after an error it must not be used again.
async fn ask_by(
    helper: &mut Helper,
    question: &LoginQuestion,
    deadline: Instant,
) -> Result<LoginAnswer, String> {
    match timeout_at(deadline, helper.ask(question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("the process that asks it died: {error}")),
        Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
    }
}

/// Who asks PAM.
#[derive(Debug)]
pub(crate) struct PamHelpers {
    /// Those at rest.
    idle: Mutex<Vec<(Asker, Helper)>>,
    room: Arc<Semaphore>,
    /// Each service's share of it.
    shares: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    log: Log,
}

impl PamHelpers {
    pub(crate) fn new(log: Log) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(QUESTIONS)),
            shares: Mutex::default(),
            log,
        })
    }

    /// Asks a service whether somebody may come in; whom it knows the user as.
    ///
    /// # Errors
    /// Why not, for the log.
    pub(crate) async fn ask(
        &self,
        asker: &Asker,
        question: &LoginQuestion,
    ) -> Result<String, String> {
        let service = &question.service;
        let answer = self.answer(asker, question).await.inspect_err(|reason| {
            // The client may be gone by now, and the reason with it.
            let text = format!("PAM service '{service}' could not be asked: {reason}");
            self.log.say(Level::Warning, text);
        })?;
        for message in &answer.messages {
            let text = format!("PAM service '{service}' says: {}", message.trim_end());
            self.log.say(Level::Notice, text);
        }
        for warning in answer.warnings {
            self.log.say(Level::Warning, warning);
        }
        answer.verdict
    }

    async fn answer(&self, asker: &Asker, question: &LoginQuestion) -> Result<LoginAnswer, String> {
        let deadline = Instant::now() + PATIENCE;
        let room = self.room(&question.service);
        let Ok(_room) = timeout_at(deadline, room).await else {
            return Err(format!(
                "too many logins wait for it, and none was done within {} s",
                PATIENCE.as_secs()
            ));
        };
        let mut helper = match self.rested(asker) {
            Some(helper) => helper,
            None => Helper::start(asker).await?,
        };
        let answer = ask_by(&mut helper, question, deadline).await?;
        self.put_back(asker, helper);
        Ok(answer)
    }

    /// A place among those that ask: one of the service's share first, so that whoever waits for that
    /// keeps nobody else waiting. Nobody closes these.
    async fn room(&self, service: &str) -> [Option<OwnedSemaphorePermit>; 2] {
        let share = {
            let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
            // One that nobody uses is made anew when it is needed.
            shares.retain(|_, share| Arc::strong_count(share) > 1);
            let new = || Arc::new(Semaphore::new(QUESTIONS_OF_SERVICE));
            Arc::clone(shares.entry(service.to_owned()).or_insert_with(new))
        };
        let share = share.acquire_owned().await.ok();
        let room = Arc::clone(&self.room).acquire_owned().await.ok();
        [share, room]
    }

    fn rested(&self, asker: &Asker) -> Option<Helper> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|(_, helper)| helper.is_alive());
        let place = idle.iter().position(|(kind, _)| kind == asker)?;
        Some(idle.swap_remove(place).1)
    }

    fn put_back(&self, asker: &Asker, helper: Helper) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push((asker.clone(), helper));
        }
    }
}
