//! Where a statement would go, and why: asked of a session that is only imagined.
//!
//! The routers decide for it as they do for any other, with the very same functions and over the
//! servers as they are; nothing is sent, connected or counted. It is a session that has just begun,
//! or one with a transaction that has.
//!
//! Left out on purpose: filters, which may act on what they see; what an open session would have
//! done before.

use std::sync::Arc;
use std::time::Duration;

use tidegate_sql::hints::Hint;
use tidegate_sql::{Modes, Statement, TrxTracker, classify};
use tidegate_wire::Caps;

use crate::backend::State;
use crate::chain::{Target, TreeNeeds, lay_out};
use crate::digests::DigestBook;
use crate::fault::SessionFault;
use crate::ids::{SessionId, TargetId};
use crate::origin::Origin;
use crate::output::Output;
use crate::own::{Business, business};
use crate::request::{OwnAnswer, Request};
use crate::router::{Decision, Effect, Reasoning};
use crate::scene::Scene;
use crate::service::{LogSwitches, ServiceShard, ServiceSpec};
use crate::session::{Birth, Cx, GreetingFacts, Session};
use crate::tally::Counting;
use crate::time::{Instant, WallTime};
use crate::world::{Rank, ServerViews};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The statement.
    pub text: &'a [u8],
    /// How it is read.
    pub modes: Modes,
    /// The session's default database.
    pub database: Option<&'a [u8]>,
    /// Is autocommit on?
    pub autocommit: bool,
    /// Has a transaction been begun?
    pub transaction: Begun,
    /// What filters would have said where it should go, the most recent last.
    pub hints: &'a [Hint],
}

/// The transaction that the imagined session has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begun {
    /// None.
    #[default]
    Nothing,
    /// One that may write.
    ReadWrite,
    /// One that only reads.
    ReadOnly,
}

/// Where a statement would go.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Its class.
    pub statement: Statement,
    /// What the client's service decides, and then each service that is chosen behind it.
    pub steps: Vec<Step>,
}

/// What one service decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The service.
    pub service: Arc<str>,
    /// Its router's module.
    pub router: &'static str,
    /// The rule that decided: its stable name, and what it says.
    pub rule: (&'static str, &'static str),
    /// What is done with the statement.
    pub outcome: Outcome,
    /// Every target, in configuration order.
    pub candidates: Vec<Candidate>,
    /// What else becomes of it.
    pub effects: Vec<Effect>,
}

/// What is done with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It goes to this target.
    One(Arc<str>),
    /// It goes to all of these; the client gets the answer of one of them.
    All {
        /// Whose answer the client gets.
        answer: Arc<str>,
        /// Everybody who gets it.
        to: Vec<Arc<str>>,
    },
    /// The proxy answers with this.
    Answered(String),
    /// The client gets this error.
    Refused(String),
    /// The session ends with this.
    Ended(String),
    /// It waits until a server can take it.
    Waits,
}

/// A target as the router saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: Arc<str>,
    /// It is a service, not a server.
    pub is_service: bool,
    /// Its state in words.
    pub state: String,
    /// Its rank.
    pub rank: Rank,
    /// How far it is behind; `None`: unknown, or a primary.
    pub lag: Option<Duration>,
    /// Connections of the whole proxy.
    pub connections: u64,
    /// Statements in progress.
    pub operations: u64,
    /// It gets the statement.
    pub chosen: bool,
    /// What the router says of it.
    pub verdict: String,
}

/// Where the statement would go in a new session of `service`.
#[must_use]
pub fn explain(
    service: &Arc<ServiceSpec>,
    question: &Question<'_>,
    servers: &ServerViews,
    now: Instant,
) -> Explanation {
    let statement = classify(question.text, question.modes);
    let steps = match Imagined::new(service, question, servers, now) {
        Ok(mut imagined) => imagined.steps(question, &statement),
        Err(fault) => vec![refused(service, &fault)],
    };
    Explanation { statement, steps }
}

/// A session that does not even begin.
fn refused(service: &Arc<ServiceSpec>, fault: &SessionFault) -> Step {
    Step {
        service: Arc::clone(&service.name),
        router: service.router.name(),
        rule: ("no_session", "A session could not begin."),
        outcome: Outcome::Ended(fault.to_string()),
        candidates: Vec::new(),
        effects: Vec::new(),
    }
}

struct Imagined<'a> {
    session: Session,
    servers: &'a ServerViews,
    now: Instant,
    /// Takes what the routers count.
    counters: ServiceShard,
    out: Output,
    digests: DigestBook,
}

impl<'a> Imagined<'a> {
    fn new(
        service: &Arc<ServiceSpec>,
        question: &Question<'_>,
        servers: &'a ServerViews,
        now: Instant,
    ) -> Result<Imagined<'a>, SessionFault> {
        let birth = Birth {
            id: SessionId(0),
            service: Arc::clone(service),
            listener: "".into(),
            origin: Origin::local_client(),
            scramble: [0; 20],
            seed: [0; 32],
            plugin: tidegate_wire::auth::NATIVE,
            greeting: GreetingFacts {
                version: "".into(),
                caps: Caps::empty(),
                collation: 0,
                mysql_family: false,
                compression: tidegate_wire::compress::CompressionOffer::NONE,
                terms: Arc::default(),
            },
        };
        let mut session = Session::empty(&birth, now, WallTime::default(), 0);
        session.client.database = question.database.map(<[u8]>::to_vec);
        session.modes = question.modes;
        // Nothing is counted there.
        let counting = Counting { servers, worker: 0 };
        lay_out(
            service,
            &mut session.nodes,
            &mut session.backends,
            None,
            0,
            counting,
        );
        session.needs = TreeNeeds::of(&session.nodes, &[], session.client.caps);
        let mut imagined = Imagined {
            session,
            servers,
            now,
            counters: ServiceShard::default(),
            out: Output::default(),
            digests: DigestBook::default(),
        };
        for node in (0..imagined.session.nodes.len()).rev() {
            imagined.start(node)?;
        }
        if !question.autocommit {
            imagined.predict(b"SET autocommit=0");
        }
        match question.transaction {
            Begun::Nothing => {}
            Begun::ReadWrite => imagined.run(b"START TRANSACTION READ WRITE"),
            Begun::ReadOnly => imagined.run(b"START TRANSACTION READ ONLY"),
        }
        Ok(imagined)
    }

    /// Starts a router; the connections that it wants at once are open.
    fn start(&mut self, node: usize) -> Result<(), SessionFault> {
        let Some(spec) = self
            .session
            .nodes
            .get(node)
            .map(|node| Arc::clone(&node.spec))
        else {
            return Ok(());
        };
        let started = self.at(node, |scene| spec.router.start(&scene));
        let Some(started) = started else {
            return Ok(());
        };
        let (router, eager) = started?;
        if let Some(node) = self.session.nodes.get_mut(node) {
            node.router = Some(router);
        }
        for target in eager.iter() {
            if let Some(Target::Backend(id)) = self.session.target(node, target)
                && let Some(backend) = self.session.backend_mut(id)
            {
                backend.state = State::Ready;
            }
        }
        Ok(())
    }

    /// Shows somebody the scene of a node. What is counted there counts nowhere.
    fn at<R>(&mut self, node: usize, look: impl FnOnce(Scene<'_>) -> R) -> Option<R> {
        let cx = Cx {
            now: self.now,
            wall: WallTime::default(),
            servers: self.servers,
            worker: 0,
            log: LogSwitches::default(),
            digests: &mut self.digests,
            out: &mut self.out,
        };
        let scene = self.session.scene(node, &cx)?;
        Some(look(Scene {
            imagined: Some(&self.counters),
            ..scene
        }))
    }

    fn predict(&mut self, text: &[u8]) {
        let statement = classify(text, self.session.modes);
        self.session.trx.predict(&statement);
    }

    /// A statement has been executed.
    fn run(&mut self, text: &[u8]) {
        let statement = classify(text, self.session.modes);
        let before = self.session.trx;
        let mut node = Some(0);
        let mut trx = before;
        trx.predict(&statement);
        while let Some(ix) = node {
            let request = request(text, &statement, &[], &before);
            let Some(decision) = self.route(ix, &request) else {
                break;
            };
            let Some(mut router) = self.take_router(ix) else {
                break;
            };
            self.session.trx = trx;
            if let Some(course) = decision.course() {
                self.at(ix, |scene| router.on_routed(&request, course, &scene));
            }
            self.session.trx = before;
            if let Some(node) = self.session.nodes.get_mut(ix) {
                node.router = Some(router);
            }
            node = self.behind(ix, &decision);
        }
        self.session.trx = trx;
    }

    fn take_router(&mut self, node: usize) -> Option<Box<dyn crate::router::RouterSession>> {
        self.session.nodes.get_mut(node)?.router.take()
    }

    fn route(&mut self, node: usize, request: &Request<'_>) -> Option<Decision> {
        let router = self.take_router(node)?;
        let decision = self.at(node, |scene| router.route(request, &scene));
        if let Some(node) = self.session.nodes.get_mut(node) {
            node.router = Some(router);
        }
        decision
    }

    /// The service that a decision leads to.
    fn behind(&self, node: usize, decision: &Decision) -> Option<usize> {
        let target = match decision {
            Decision::One { target, .. } => *target,
            Decision::All { answer, .. } => *answer,
            Decision::Own(_)
            | Decision::Reject(_)
            | Decision::End(_)
            | Decision::Replay(_)
            | Decision::Move(_)
            | Decision::Wait
            | Decision::Later(_) => return None,
        };
        match self.session.target(node, target)? {
            Target::Node(inner) => Some(inner),
            Target::Backend(_) => None,
        }
    }

    fn steps(&mut self, question: &Question<'_>, statement: &Statement) -> Vec<Step> {
        let trx = self.session.trx;
        let request = request(question.text, statement, question.hints, &trx);
        if let Some(business) = business(&request) {
            return self
                .at(0, |scene| own_step(&scene, business))
                .into_iter()
                .collect();
        }
        let mut steps = Vec::new();
        let mut node = Some(0);
        while let Some(ix) = node {
            let Some(decision) = self.route(ix, &request) else {
                break;
            };
            let Some(router) = self.take_router(ix) else {
                break;
            };
            let step = self.at(ix, |scene| {
                let reasoning = router.reasoning(&request, &scene);
                step(&scene, &decision, reasoning)
            });
            if let Some(node) = self.session.nodes.get_mut(ix) {
                node.router = Some(router);
            }
            steps.extend(step);
            node = self.behind(ix, &decision);
        }
        steps
    }
}

fn request<'a>(
    text: &'a [u8],
    statement: &'a Statement,
    hints: &'a [Hint],
    trx: &'a TrxTracker,
) -> Request<'a> {
    Request {
        complete: text.len() < Session::WINDOW,
        hints,
        ..Request::of_text(text, statement, trx)
    }
}

/// What no router is asked about.
fn own_step(scene: &Scene<'_>, business: Business<'_>) -> Step {
    let decision = match business {
        Business::SessionId(column) | Business::PreparedSessionId(column) => {
            Decision::Own(OwnAnswer::Value {
                column: String::from_utf8_lossy(column).into_owned(),
                value: String::new(),
                number: true,
            })
        }
        Business::Kill(_) => Decision::Own(OwnAnswer::Ok),
        Business::Refused(refused) => Decision::Reject(refused.reply()),
    };
    let verdict = || "not asked: the proxy answers".to_owned();
    let reasoning = Reasoning {
        rule: "own_answer",
        sentence: "The proxy answers it.",
        verdicts: scene.targets().map(|id| (id, verdict())).collect(),
        effects: Vec::new(),
    };
    step(scene, &decision, reasoning)
}

fn step(scene: &Scene<'_>, decision: &Decision, reasoning: Reasoning) -> Step {
    let name = |id: TargetId| -> Arc<str> {
        scene
            .target(id)
            .map_or_else(|| "?".into(), |view| view.name().into())
    };
    let outcome = match decision {
        Decision::One { target, .. } => Outcome::One(name(*target)),
        Decision::All { to, answer } => Outcome::All {
            answer: name(*answer),
            to: to.iter().map(name).collect(),
        },
        Decision::Own(OwnAnswer::Ok | OwnAnswer::Affected(_)) => Outcome::Answered("OK".to_owned()),
        Decision::Own(OwnAnswer::Value { column, .. }) => {
            Outcome::Answered(format!("the value of {column}"))
        }
        Decision::Reject(reply) => Outcome::Refused(reply.text.clone()),
        Decision::End(fault) => Outcome::Ended(fault.to_string()),
        Decision::Wait | Decision::Later(_) | Decision::Replay(_) | Decision::Move(_) => {
            Outcome::Waits
        }
    };
    let course = decision.course();
    let gets_it = |id: TargetId| course.is_some_and(|course| course.reaches(id));
    let candidates = scene.targets().filter_map(|id| {
        let view = scene.target(id)?;
        let verdict = reasoning.verdicts.iter().find(|(target, _)| *target == id);
        Some(Candidate {
            name: view.name().into(),
            is_service: view.is_service(),
            state: format!("{:?}", view.status()),
            rank: view.rank(),
            lag: view.lag(),
            connections: view.connections(),
            operations: view.operations(),
            chosen: gets_it(id),
            verdict: verdict.map(|(_, text)| text.clone()).unwrap_or_default(),
        })
    });
    Step {
        service: Arc::clone(&scene.node.spec.name),
        router: scene.node.spec.router.name(),
        rule: (reasoning.rule, reasoning.sentence),
        outcome,
        candidates: candidates.collect(),
        effects: reasoning.effects,
    }
}
