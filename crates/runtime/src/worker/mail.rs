//! Emptying the mailbox.

use std::sync::{Mutex, PoisonError};

use tidegate_session::{Control, ControlError, Level, SessionId, Side};

use super::Worker;
use super::accept::{Door, Opening};
use super::seat::Seat;
use crate::gather::Share;
use crate::host;
use crate::log::Line;
use crate::message::{ListenerChange, Message, Optional};

impl Worker {
    /// Does what was left in the mailbox, or begins it where that takes long.
    pub(super) fn read_mail(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        self.desk.mailbox.take(&mut inbox);
        if let Some(servers) = inbox.servers.take() {
            let before = std::mem::replace(&mut self.desk.servers, servers);
            self.desk.sort_out_shelved(&before);
            self.part();
            self.jobs.servers();
        }
        while let Some(message) = inbox.messages.pop_front() {
            self.obey(message);
        }
        while let Some(message) = inbox.optional.pop_front() {
            match message {
                Optional::List { which, share } => self.jobs.list(which, share),
                Optional::Ids { share } => share.give(self.logged_in()),
                Optional::Holdings { share } => self.jobs.holdings(share),
                Optional::Digests { service, share } => {
                    share.give(vec![self.desk.digests.of(&service)]);
                }
                Optional::GiveUp(server) => {
                    if !self.desk.lines.has_one_for(server) {
                        self.desk.give_up_one(server);
                        self.part();
                    }
                }
                Optional::Arrival(arrival, ticket) => self.begin(*arrival, ticket),
            }
        }
        self.inbox = inbox;
    }

    fn obey(&mut self, message: Message) {
        match message {
            Message::Answer {
                session,
                token,
                answer,
            } => {
                let Some(seat) = self.ids.get(&session).copied() else {
                    return;
                };
                self.with_session(seat, |desk, seated| {
                    desk.event(seated, |session, env| session.on_answer(token, answer, env))
                });
            }
            Message::Control {
                session,
                control,
                share,
            } => self.control(session, &control, share),
            Message::Open(opening) => self.open(opening),
            Message::Listener { name, change } => {
                self.change_listeners(&change, |door| *door.opening.name == *name);
            }
            Message::ResetDigests { service } => self.desk.digests.reset(&service),
            Message::Restart { services, share } => self.jobs.restart(services, share),
            Message::Victims { order, share } => self.jobs.victims(order, share),
            Message::Close { name, slot } => {
                self.close_doors(|door| *door.opening.name == *name && door.opening.slot == slot)
            }
            Message::Role {
                leaving,
                classifier_bytes,
                processors,
            } => {
                self.leaving = leaving;
                self.desk.clear_shelf(leaving || self.ending);
                self.part();
                self.desk.classifier.set_max_bytes(classifier_bytes);
                if let Some(Err(error)) = processors.as_ref().map(host::stay_on) {
                    let index = self.desk.index;
                    let text = format!("worker {index} cannot be kept where it belongs: {error}");
                    self.desk.log.say(Level::Info, text);
                }
            }
            Message::Look => {}
            Message::Pulse { share } => share.give(Vec::new()),
            Message::Tuning(tuning) => self.desk.tuning = tuning,
            Message::Shutdown { now } => {
                self.ending = true;
                self.desk.clear_shelf(true);
                self.part();
                self.change_listeners(&ListenerChange::Remove, |_| true);
                self.jobs.shutdown(now);
            }
        }
    }

    /// The ids of the sessions whose login is complete.
    fn logged_in(&mut self) -> Vec<SessionId> {
        let seats = self.table.iter_mut().filter_map(|seat| match seat {
            Seat::Session(seated) if seated.session.has_login() => Some(seated.id),
            _ => None,
        });
        seats.collect()
    }

    /// Does what an administrator wants of a session, if it is here.
    fn control(
        &mut self,
        id: SessionId,
        control: &Mutex<Option<Control>>,
        share: Share<Result<(), ControlError>>,
    ) {
        let mut results = Vec::new();
        if let Some(seat) = self.ids.get(&id).copied() {
            let control = control
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            self.with_session(seat, |desk, seated| {
                let Some(control) = control.filter(|_| seated.session.has_login()) else {
                    return Ok(());
                };
                // The result counts even if the control ended the session.
                let entered =
                    desk.enter(seated, |session, env| session.on_control(control, env))?;
                results.push(entered);
                desk.apply(seated, &[])?;
                desk.settle(seated)
            });
        }
        share.give(results);
    }

    fn open(&mut self, opening: Opening) {
        let name = std::sync::Arc::clone(&opening.name);
        let Some(seat) = self.table.vacancy().filter(|_| !self.ending) else {
            return;
        };
        let key = self.desk.key(seat, Side::Client);
        let timer = self.desk.wheel.add(key.raw());
        match Door::new(opening, key, timer, &self.desk.registry) {
            Ok(mut door) => {
                Worker::enqueue_door(&mut self.desk.queue, &mut door);
                self.table.put(seat, Seat::Door(Box::new(door)));
            }
            Err(error) => {
                self.desk.wheel.remove(timer);
                let text = format!(
                    "worker {} cannot watch this listener: {error}",
                    self.desk.index
                );
                self.desk.log.write(Line {
                    object: Some(name),
                    ..Line::new(Level::Error, text)
                });
            }
        }
    }

    fn change_listeners(&mut self, change: &ListenerChange, which: impl Fn(&Door) -> bool) {
        for seat in 0..self.table.len() {
            let Some(Seat::Door(door)) = self.table.get(seat) else {
                continue;
            };
            if !which(door) {
                continue;
            }
            door.change(change);
            Worker::enqueue_door(&mut self.desk.queue, door);
        }
        if matches!(change, ListenerChange::Remove) {
            self.close_doors(which);
        }
    }

    fn close_doors(&mut self, which: impl Fn(&Door) -> bool) {
        for seat in 0..self.table.len() {
            if !matches!(self.table.get(seat), Some(Seat::Door(door)) if which(door)) {
                continue;
            }
            if let Some(Seat::Door(door)) = self.table.take(seat) {
                self.desk.wheel.remove(door.timer);
                door.part_from(&self.desk.registry);
            }
        }
    }
}
