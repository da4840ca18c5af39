//! A script is played, line by line.

use std::sync::Arc;
use std::time::Duration;

use tidegate_session::ServiceSpec;
use tidegate_session::world::{Counters, Rank, ServerStatus, ServerView, ServerViews};
use tidegate_wire::Caps;

use crate::client::Client;
use crate::packets;
use crate::script::{Script, What, fits};
use crate::service;
use crate::stage::Stage;

/// The client's name.
const CLIENT: &str = "C";

/// A performance.
pub(crate) struct Play<'a> {
    mode: &'static str,
    script: &'a Script,
    names: Vec<String>,
    views: ServerViews,
    alive: Vec<bool>,
    service: Option<Arc<ServiceSpec>>,
    stage: Option<Stage>,
}

/// Does the rest of the script matter?
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl<'a> Play<'a> {
    /// Of a script, in this failure mode.
    pub(crate) fn new(mode: &'static str, script: &'a Script) -> Play<'a> {
        Play {
            mode,
            script,
            names: Vec::new(),
            views: ServerViews::default(),
            alive: Vec::new(),
            service: None,
            stage: None,
        }
    }

    /// Plays it; the error names the line.
    pub(crate) fn run(mut self) -> Result<(), String> {
        let script = self.script;
        for line in script.lines.iter().filter(|line| line.is_for(self.mode)) {
            let next = self.play(&line.what).and_then(|next| {
                let fault = self.stage.as_mut().and_then(Stage::take_fault);
                fault.map_or(Ok(next), Err)
            });
            match next {
                Ok(Next::Go) => {}
                Ok(Next::Stop) => break,
                Err(error) => return Err(format!("line {}: {error}{}", line.number, self.log())),
            }
        }
        self.nothing_unseen()
            .map_err(|error| format!("at the end: {error}{}", self.log()))
    }

    fn log(&self) -> String {
        let lines = self.stage.iter().flat_map(|stage| &stage.log);
        lines.map(|line| format!("\n    log: {line}")).collect()
    }

    fn play(&mut self, what: &What) -> Result<Next, String> {
        match what {
            What::Servers(names) => self.set_up(names),
            What::Says { who, text } if who == CLIENT => {
                self.nothing_unseen()?;
                let stage = self.stage()?;
                let bytes = stage.client.say(text)?;
                stage.client_says(&bytes);
            }
            What::Says { who, text } => {
                self.nothing_unseen()?;
                let server = self.server(who)?;
                let stage = self.stage()?;
                let link = stage.link(server).ok_or("it is not connected")?;
                let bytes = link.answer(text)?;
                stage.server_says(server, &bytes);
            }
            What::Told { whom, text } => {
                for name in whom {
                    self.told(name, text)
                        .map_err(|error| format!("{name}: {error}"))?;
                }
            }
            What::Of { who, text } => return self.happen(who, text),
        }
        Ok(Next::Go)
    }

    fn set_up(&mut self, names: &[String]) {
        self.names = names.to_vec();
        self.alive = vec![true; names.len()];
        self.views = views(names.iter().cloned());
    }

    fn stage(&mut self) -> Result<&mut Stage, String> {
        self.stage
            .as_mut()
            .ok_or_else(|| "nobody has connected".to_owned())
    }

    fn server(&self, name: &str) -> Result<usize, String> {
        let place = self.names.iter().position(|each| each == name);
        place.ok_or_else(|| format!("who is {name}?"))
    }

    fn told(&mut self, name: &str, text: &str) -> Result<(), String> {
        let heard = if name == CLIENT {
            let client = &mut self.stage()?.client;
            if let Some(part) = text.ends_with(" ...").then(|| client.part()).flatten() {
                Some(part)
            } else {
                client.unseen.pop_front()
            }
        } else {
            let server = self.server(name)?;
            let link = self.stage()?.link(server);
            link.and_then(|link| link.unseen.pop_front())
        };
        match heard {
            Some(heard) if fits(text, &heard) => Ok(()),
            Some(heard) => Err(format!("was told {heard:?}, not {text:?}")),
            None => Err(format!("was not told {text:?}")),
        }
    }

    /// Everything that somebody was told has been expected?
    fn nothing_unseen(&mut self) -> Result<(), String> {
        let Some(stage) = &mut self.stage else {
            return Ok(());
        };
        if let Some(heard) = stage.client.unseen.front() {
            return Err(format!(
                "{CLIENT} was told {heard:?}, which nobody expected"
            ));
        }
        for (ix, name) in self.names.iter().enumerate() {
            let heard = stage.link(ix).and_then(|link| link.unseen.front());
            if let Some(heard) = heard.filter(|heard| *heard != "quit") {
                return Err(format!("{name} was told {heard:?}, which nobody expected"));
            }
        }
        Ok(())
    }

    fn happen(&mut self, who: &str, text: &str) -> Result<Next, String> {
        match who {
            "end" => return Ok(Next::Stop),
            "wait" => {
                self.nothing_unseen()?;
                let time = seconds(text)?;
                self.stage()?.pass(time);
            }
            "logged" => {
                let stage = self.stage()?;
                let pattern = format!("*{text}*");
                if !stage.log.iter().any(|line| fits(&pattern, line)) {
                    return Err("that is not in the log".to_owned());
                }
            }
            "counted" => self.counted(text)?,
            "all" => self.broadcast(text.strip_prefix("run ").ok_or("all do what?")?)?,
            CLIENT => self.of_client(text)?,
            name => self.of_server(name, text)?,
        }
        Ok(Next::Go)
    }

    fn of_client(&mut self, text: &str) -> Result<(), String> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        if word == "connects" {
            let service = service::service(self.names.len(), self.mode, self.script);
            self.service = Some(Arc::clone(&service));
            let (views, alive) = (self.views.clone(), self.alive.clone());
            let client = match rest {
                "with single statements" => Client::single(),
                _ => Client::default(),
            };
            self.stage = Some(Stage::of(client, 1, service, views, alive));
            return Ok(());
        }
        let ended = self.stage()?.ended;
        match (word, ended) {
            ("closed", Some(cause)) if rest.is_empty() || rest == cause.word() => Ok(()),
            ("open", None) => Ok(()),
            (_, cause) => Err(format!(
                "the session's end is {:?}",
                cause.map(|it| it.word())
            )),
        }
    }

    /// A whole exchange with one server.
    fn exchange(&mut self, name: &str, text: &str, answer: &str) -> Result<(), String> {
        self.says(CLIENT, text)?;
        self.told(name, text)?;
        self.says(name, answer)?;
        self.told(CLIENT, answer)
    }

    /// One with every server that is connected: the first one's answer is the client's.
    fn broadcast(&mut self, text: &str) -> Result<(), String> {
        self.says(CLIENT, text)?;
        let stage = self.stage()?;
        let there: Vec<usize> = (0..stage.alive.len())
            .filter(|ix| stage.link(*ix).is_some())
            .collect();
        let names: Vec<String> = there.iter().map(|ix| self.names[*ix].clone()).collect();
        for name in &names {
            self.told(name, text)?;
        }
        for (place, name) in names.iter().enumerate() {
            self.says(name, "ok")?;
            if place == 0 {
                self.told(CLIENT, "ok")?;
            }
        }
        Ok(())
    }

    fn says(&mut self, who: &str, text: &str) -> Result<(), String> {
        let (who, text) = (who.to_owned(), text.to_owned());
        self.play(&What::Says { who, text }).map(|_| ())
    }

    fn of_server(&mut self, name: &str, text: &str) -> Result<(), String> {
        let server = self.server(name)?;
        let connected = self
            .stage
            .as_mut()
            .is_some_and(|stage| stage.link(server).is_some());
        match text {
            "open" if connected => return Ok(()),
            "closed" if !connected => return Ok(()),
            "open" | "closed" => return Err(format!("connected: {connected}")),
            _ => {}
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "runs" => return self.exchange(name, rest, "ok"),
            "reads" => return self.exchange(name, rest, "rows 1"),
            "fails" => {
                let (code, text) = rest.split_once(' ').ok_or("fails CODE TEXT")?;
                return self.exchange(name, text, &format!("error {code}"));
            }
            "begins" | "ends" => {
                let link = self.stage()?.link(server).ok_or("it is not connected")?;
                link.set_in_transaction(word == "begins");
                return Ok(());
            }
            "refuses" => {
                self.stage()?.refusing[server] = true;
                return Ok(());
            }
            _ => self.nothing_unseen()?,
        }
        let view = &mut self.views.0[server];
        let role = view
            .status
            .without(ServerStatus::MASTER.with(ServerStatus::SLAVE));
        match (word, rest) {
            ("breaks", _) => {
                self.stage()?.cut(server);
                return Ok(());
            }
            // It dies, and no monitor has seen it.
            ("vanishes", _) => {
                self.alive[server] = false;
                self.tell_stage(false);
                self.stage()?.cut(server);
                return Ok(());
            }
            ("dies", _) => {
                view.status = ServerStatus::default();
                self.alive[server] = false;
                self.tell_stage(false);
                if let Some(stage) = &mut self.stage {
                    stage.cut(server);
                }
            }
            ("returns", "as") | ("is", _) | ("returns", _) => {
                let role = if word == "returns" {
                    self.alive[server] = true;
                    ServerStatus::RUNNING
                } else {
                    role
                };
                let bit = match rest.rsplit(' ').next() {
                    Some("primary") => ServerStatus::MASTER,
                    Some("replica") => ServerStatus::SLAVE,
                    Some("nothing") => ServerStatus::default(),
                    _ => return Err(format!("{name} {text}?")),
                };
                view.status = role.with(bit);
            }
            ("maintains", _) => view.status = view.status.with(ServerStatus::MAINTENANCE),
            ("drains", _) => view.status = view.status.with(ServerStatus::DRAINING),
            ("ranks", "secondary") => view.rank = Rank::Secondary,
            ("lags", "unknown") => view.lag = None,
            ("lags", lag) => view.lag = Some(seconds(lag)?),
            ("at", position) => {
                let position = position
                    .parse()
                    .map_err(|_| format!("a position {position}?"))?;
                view.position = Some(Arc::new(position));
            }
            _ => return Err(format!("{name} {text}?")),
        }
        self.tell_stage(true);
        Ok(())
    }

    /// The servers are as they are now; `seen`: and a monitor has looked.
    fn tell_stage(&mut self, seen: bool) {
        if let Some(stage) = &mut self.stage {
            stage.alive.clone_from(&self.alive);
            if seen {
                stage.views = self.views.clone();
                stage.look();
            }
        }
    }

    fn counted(&mut self, text: &str) -> Result<(), String> {
        let service = self.service.as_ref().ok_or("nobody has connected")?;
        let (name, count) = text.split_once(' ').ok_or("counted NAME COUNT")?;
        let found = service.counters.sum(|shard| match name {
            "replayed" => &shard.replayed_transactions,
            "rw_transactions" => &shard.rw_transactions,
            _ => &shard.ro_transactions,
        });
        if found.to_string() == count {
            return Ok(());
        }
        Err(format!("{name}: {found}"))
    }
}

/// Servers of these names, the first of which is the primary of the others.
pub(crate) fn views(names: impl Iterator<Item = String>) -> ServerViews {
    let roles = std::iter::once(ServerStatus::MASTER).chain(std::iter::repeat(ServerStatus::SLAVE));
    let views = names.zip(roles);
    ServerViews(views.map(|(name, role)| view(&name, role)).collect())
}

fn view(name: &str, role: ServerStatus) -> ServerView {
    ServerView {
        name: name.into(),
        status: ServerStatus::RUNNING.with(role),
        lag: Some(Duration::ZERO),
        position: None,
        rank: Rank::Primary,
        version: 101_106,
        version_string: "10.11.6-MariaDB".into(),
        mysql_family: false,
        caps: Some(Caps::from_bits(packets::CAPS | packets::TRACKING)),
        collation: 45,
        variables: Arc::default(),
        tls: false,
        connect_timeout: None,
        pool: None,
        proxy_header: None,
        compression: None,
        as_service: false,
        counters: Arc::new(Counters::new(1)),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok());
    number
        .map(Duration::from_secs)
        .ok_or_else(|| format!("a time {text:?}?"))
}
