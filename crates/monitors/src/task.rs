//! The inside of a monitor: one task that ticks and takes requests.
//!
//! A tick asks all servers side by side, concludes, publishes, and tells the log. Requests are
//! looked at between ticks, except that `stop`, new settings and the end of the monitor interrupt
//! the asking.
//!
//! The invariant: whoever asked for a change gets an answer only after what they see includes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate_sqlclient::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::bits::{AdminState, ServerBits};
use crate::diagnostics::{Activity, Diagnostics, MonitorView};
use crate::handle::{MonitorObserver, Reply, Request, RequestError};
use crate::mariadbmon::{ClusterView, Member, Note, Observation, diagnose};
use crate::probe::Probe;
use crate::server::ServerState;
use crate::settings::MonitorSettings;

/// The least pause after a tick that took longer than the interval.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// All that a monitor holds.
pub(crate) struct Task {
    name: Arc<str>,
    settings: MonitorSettings,
    members: Vec<Member>,
    probes: Vec<Option<Probe>>,
    /// Connections that are no longer wanted and not yet closed.
    leaving: Vec<Client>,
    cluster: ClusterView,
    running: bool,
    ticks: u64,
    next_tick: Instant,
    /// Requests that came while servers were asked.
    waiting: VecDeque<Request>,
    /// Who is owed an answer after the next tick.
    owed: Vec<Reply>,
    views: watch::Sender<Arc<MonitorView>>,
    activity: watch::Sender<Activity>,
    observer: Arc<dyn MonitorObserver>,
}

/// How the asking ended.
enum Round {
    Seen(Vec<Observation>),
    /// A request that cannot wait is at the front of the queue.
    Interrupted,
    /// Nobody holds the handle any more.
    Abandoned,
}

/// Ticks and takes requests until nobody holds the handle any more.
pub(crate) async fn run(mut task: Task, mut inbox: mpsc::Receiver<Request>) {
    while task.turn(&mut inbox).await.is_some() {}
    task.forget_connections();
    task.close_leaving().await;
}

impl Task {
    pub(crate) fn new(
        name: Arc<str>,
        settings: MonitorSettings,
        observer: Arc<dyn MonitorObserver>,
    ) -> (
        Self,
        watch::Receiver<Arc<MonitorView>>,
        watch::Receiver<Activity>,
    ) {
        let members = settings.members();
        let (activity, activity_seen) = watch::channel(Activity::Idle);
        let nothing = MonitorView {
            name: Arc::clone(&name),
            running: true,
            ticks: 0,
            servers: Vec::new(),
            diagnostics: None,
        };
        let (views, views_seen) = watch::channel(Arc::new(nothing));
        let mut task = Self {
            cluster: ClusterView::new(members.len()),
            probes: Vec::new(),
            leaving: Vec::new(),
            members,
            settings,
            name,
            running: true,
            ticks: 0,
            next_tick: Instant::now(),
            waiting: VecDeque::new(),
            owed: Vec::new(),
            views,
            activity,
            observer,
        };
        task.forget_connections();
        task.views.send_replace(Arc::new(task.view()));
        (task, views_seen, activity_seen)
    }

    /// Takes what was asked, then waits for the next request or tick. `None`: nobody holds the
    /// handle any more.
    async fn turn(&mut self, inbox: &mut mpsc::Receiver<Request>) -> Option<()> {
        while let Some(request) = self.waiting.pop_front() {
            if self.take(request) {
                self.next_tick = Instant::now();
            }
        }
        self.close_leaving().await;
        if !self.running {
            self.waiting.push_back(inbox.recv().await?);
            return Some(());
        }
        tokio::select! {
            biased;
            request = inbox.recv() => {
                self.waiting.push_back(request?);
                Some(())
            }
            () = sleep_until(self.next_tick) => self.tick(inbox).await,
        }
    }

    async fn tick(&mut self, inbox: &mut mpsc::Receiver<Request>) -> Option<()> {
        let start = Instant::now();
        match self.ask_all(inbox).await {
            Round::Seen(observed) => {
                self.conclude(observed);
                let due = start + self.settings.interval;
                self.next_tick = due.max(Instant::now() + SHORTEST_PAUSE);
                Some(())
            }
            Round::Interrupted => Some(()),
            Round::Abandoned => None,
        }
    }

    /// New probes for all servers; the old ones' connections are to be closed.
    fn forget_connections(&mut self) {
        let old = self.probes.drain(..).flatten();
        self.leaving.extend(old.filter_map(Probe::into_client));
        let servers = self.settings.servers.iter();
        self.probes = servers
            .map(|server| Some(Probe::new(server, &self.settings)))
            .collect();
    }

    async fn close_leaving(&mut self) {
        for client in self.leaving.drain(..) {
            client.close().await;
        }
    }

    /// Asks every server, each in its own time. A probe that panicked is made anew.
    async fn ask_all(&mut self, inbox: &mut mpsc::Receiver<Request>) -> Round {
        self.activity.send_replace(Activity::Observing);
        let mut asking = JoinSet::new();
        for (index, slot) in self.probes.iter_mut().enumerate() {
            if let Some(mut probe) = slot.take() {
                asking.spawn(async move {
                    let seen = probe.observe().await;
                    (index, probe, seen)
                });
            }
        }
        let round = self.collect(asking, inbox).await;
        self.activity.send_replace(Activity::Idle);
        self.replace_lost_probes();
        round
    }

    async fn collect(
        &mut self,
        mut asking: JoinSet<(usize, Probe, (Observation, Option<Note>))>,
        inbox: &mut mpsc::Receiver<Request>,
    ) -> Round {
        let mut seen: Vec<Option<Observation>> = Vec::new();
        seen.resize_with(self.members.len(), || None);
        loop {
            tokio::select! {
                biased;
                request = inbox.recv() => match request {
                    None => return Round::Abandoned,
                    Some(request @ (Request::Stop(_) | Request::Reconfigure(..))) => {
                        self.waiting.push_back(request);
                        return Round::Interrupted;
                    }
                    Some(request @ (Request::Change { .. } | Request::Start(_))) => {
                        self.waiting.push_back(request);
                    }
                },
                done = asking.join_next() => match done {
                    None => {
                        let seen = seen.into_iter().map(Observation::or_unasked);
                        return Round::Seen(seen.collect());
                    }
                    Some(Err(_)) => {}
                    Some(Ok((index, probe, (observation, note)))) => {
                        if let Some(note) = note {
                            self.observer.noted(&note);
                        }
                        if let Some(slot) = self.probes.get_mut(index) {
                            *slot = Some(probe);
                        }
                        if let Some(slot) = seen.get_mut(index) {
                            *slot = Some(observation);
                        }
                    }
                },
            }
        }
    }

    fn replace_lost_probes(&mut self) {
        for (slot, server) in self.probes.iter_mut().zip(&self.settings.servers) {
            if slot.is_none() {
                *slot = Some(Probe::new(server, &self.settings));
            }
        }
    }

    /// Draws the conclusions of a tick and makes them known.
    fn conclude(&mut self, observed: Vec<Observation>) {
        let diagnosis = diagnose(
            &self.cluster,
            &self.members,
            observed,
            &self.settings.rules,
            SystemTime::now(),
        );
        self.cluster = diagnosis.view;
        self.ticks += 1;
        self.publish();
        for note in &diagnosis.notes {
            self.observer.noted(note);
        }
        self.answer_owed();
    }

    fn answer_owed(&mut self) {
        for reply in self.owed.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(()));
        }
    }

    fn publish(&self) {
        let view = Arc::new(self.view());
        self.views.send_replace(Arc::clone(&view));
        self.observer.published(&view);
    }

    fn view(&self) -> MonitorView {
        let connect_timeout = self.settings.timeouts.connect;
        let servers = self.members.iter().zip(&self.cluster.nodes);
        MonitorView {
            name: Arc::clone(&self.name),
            running: self.running,
            ticks: self.ticks,
            servers: servers
                .map(|(member, node)| Arc::new(ServerState::of(member, node, connect_timeout)))
                .collect(),
            diagnostics: self
                .running
                .then(|| Diagnostics::of(&self.cluster, &self.members)),
        }
    }

    /// Does what is asked. True: a tick is due at once.
    fn take(&mut self, request: Request) -> bool {
        match request {
            Request::Change {
                server,
                state,
                on,
                reply,
            } => match self.change(&server, state, on) {
                Ok(()) => self.answer_after_tick(reply),
                Err(error) => {
                    let _ = reply.send(Err(error));
                    false
                }
            },
            Request::Start(reply) => {
                self.running = true;
                self.answer_after_tick(reply)
            }
            Request::Stop(reply) => {
                self.running = false;
                self.forget_connections();
                self.publish();
                self.answer_owed();
                let _ = reply.send(Ok(()));
                false
            }
            Request::Reconfigure(settings, reply) => {
                self.adopt(*settings);
                self.answer_after_tick(reply)
            }
        }
    }

    /// With the next tick if there will be one, else now.
    fn answer_after_tick(&mut self, reply: Reply) -> bool {
        self.owed.push(reply);
        if !self.running {
            self.publish();
            self.answer_owed();
        }
        self.running
    }

    fn adopt(&mut self, settings: MonitorSettings) {
        let members = settings.members();
        self.cluster = self.cluster.regrouped(&self.members, &members);
        self.members = members;
        self.settings = settings;
        self.forget_connections();
    }

    fn change(&mut self, server: &str, state: AdminState, on: bool) -> Result<(), RequestError> {
        let found = self.members.iter().zip(&mut self.cluster.nodes);
        let found = found
            .into_iter()
            .find(|(member, _)| &*member.name == server);
        let monitor = self.name.to_string();
        let server = server.to_owned();
        let Some((member, node)) = found else {
            return Err(RequestError::UnknownServer { monitor, server });
        };
        let state_word = state.word();
        if self.running && !state.is_lasting() {
            return Err(RequestError::MonitorDecides {
                monitor,
                server,
                state: state_word,
            });
        }
        if self.running && on && node.bits.contains(ServerBits::MASTER) {
            return Err(RequestError::IsMaster {
                monitor,
                server,
                state: state_word,
            });
        }
        node.bits = if on {
            node.bits.with(state.bit())
        } else {
            node.bits.without(state.bit())
        };
        self.observer.noted(&Note::AdminChange {
            server: Arc::clone(&member.name),
            state,
            on,
        });
        Ok(())
    }
}
