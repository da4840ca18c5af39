//! TLS towards clients: what a query costs, and what a handshake costs, full and resumed, beside
//! HAProxy with the same certificate and cipher suite.
//!
//! HAProxy takes TLS off from the first byte of a connection, MariaDB's clients ask for it after the
//! greeting: the load comes from a client that does either. A handshake is a connection that is
//! closed as soon as it is encrypted; HAProxy opens none behind it.

mod client;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use tidegate_testkit::mariadb::find_program;
use tidegate_testkit::pki::{Authority, IdentityFiles, Wish};
use tidegate_testkit::{
    Account, Managed, PATIENCE, PortLease, ServerGroup, Tidegate, is_listening, procfs, wait_for,
    wait_until,
};

use super::report::{Bar, Row};
use super::stats::{interleave, median, ratios};
use super::{Settings, proxy};
use client::{Client, Door, Trust};

const HAPROXY: &str = "HAProxy";
const TIDEGATE: &str = "readconnroute";
const CONTENDERS: [&str; 2] = [HAPROXY, TIDEGATE];

/// Clients at once.
const CLIENTS: usize = 16;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Queries,
    FullHandshakes,
    ResumedHandshakes,
}

/// HAProxy with one door to the servers and one that closes after the handshake.
struct HaProxy {
    process: Managed,
    servers: PortLease,
    closing: PortLease,
}

/// Who can be run, and where.
struct Field {
    account: Account,
    trust: Trust,
    haproxy: HaProxy,
    tidegate: Tidegate,
}

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let group = proxy::servers()?;
    let authority = Authority::new("Bench CA")?;
    let identity = authority.issue(&Wish::new("bench"))?;
    let files = identity.write(group.scratch(), "bench")?;
    let both = [identity.cert.as_str(), identity.key.as_str()].concat();
    let field = Field {
        account: group.accounts().app.clone(),
        trust: Trust::new(authority.pem())?,
        haproxy: HaProxy::start(&group, settings.workers, &both)?,
        tidegate: start(&group, settings, &files)?,
    };
    field.wait_ready()?;
    let mut rows = Vec::new();
    for work in [Work::Queries, Work::FullHandshakes, Work::ResumedHandshakes] {
        rows.extend(field.measure(work, settings)?);
    }
    Ok(rows)
}

fn start(group: &ServerGroup, settings: &Settings, files: &IdentityFiles) -> Result<Tidegate> {
    let (key, cert) = (files.key.display(), files.cert.display());
    let extras = proxy::Extras {
        listeners: &format!("ssl=true\nssl_key={key}\nssl_cert={cert}\n"),
        ..proxy::Extras::default()
    };
    Tidegate::builder(&proxy::config_with(group, settings.workers, extras))
        .binary(&settings.binary)
        .start()
}

impl HaProxy {
    fn start(group: &ServerGroup, threads: usize, pem: &str) -> Result<Self> {
        let (servers, closing) = (PortLease::take()?, PortLease::take()?);
        let scratch = group.scratch();
        let pem = scratch.write("haproxy.pem", pem)?;
        let bind =
            |lease: &PortLease| format!("bind {} ssl crt {}", lease.address(), pem.display());
        let replicas = group.replicas().iter().enumerate();
        let behind: String = replicas
            .map(|(ix, server)| format!("    server s{ix} {}\n", server.address()))
            .collect();
        let text = format!(
            "global\n    nbthread {threads}\n    maxconn 4000\n\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n\
             listen servers\n    {}\n    balance leastconn\n{behind}\
             frontend closing\n    {}\n    tcp-request content reject\n",
            bind(&servers),
            bind(&closing),
        );
        let file = scratch.write("haproxy-tls.cfg", &text)?;
        let mut command = Command::new(find_program(&["haproxy"])?);
        command.arg("-db").arg("-f").arg(&file);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = scratch.spawn("haproxy", &mut command)?;
        for lease in [&servers, &closing] {
            wait_until("HAProxy to listen", || is_listening(lease.port()))?;
        }
        Ok(Self {
            process,
            servers,
            closing,
        })
    }
}

impl Field {
    fn wait_ready(&self) -> Result<()> {
        for name in CONTENDERS {
            let (address, door, _) = self.contender(name, Work::Queries);
            wait_for(&format!("{name} to answer"), PATIENCE, || {
                let answered = Client::log_in(address, door, &self.trust, &self.account)
                    .and_then(|mut client| client.query("SELECT 1"));
                Ok(answered.is_ok().then_some(()))
            })?;
        }
        Ok(())
    }

    /// Where a contender is reached, how, and its process.
    fn contender(&self, name: &str, work: Work) -> (SocketAddr, Door, u32) {
        let haproxy = &self.haproxy;
        match (name, work) {
            (HAPROXY, Work::Queries) => (
                haproxy.servers.address(),
                Door::Encrypted,
                haproxy.process.pid(),
            ),
            (HAPROXY, Work::FullHandshakes | Work::ResumedHandshakes) => (
                haproxy.closing.address(),
                Door::Encrypted,
                haproxy.process.pid(),
            ),
            _ => (
                proxy::connecting(&self.tidegate),
                Door::OnRequest,
                self.tidegate.pid(),
            ),
        }
    }

    fn measure(&self, work: Work, settings: &Settings) -> Result<Vec<Row>> {
        let what = match work {
            Work::Queries => "CPU of a point select over TLS, 16 threads",
            Work::FullHandshakes => "full handshakes in a CPU second",
            Work::ResumedHandshakes => "resumed handshakes in a CPU second",
        };
        let samples = interleave(settings.rounds, &CONTENDERS, |round, name| {
            let cpu_us = self.sample(name, work, settings.seconds)?;
            println!(
                "  round {}: {name:13} {cpu_us:8.1} us CPU each ({what})",
                round + 1
            );
            Ok(cpu_us)
        })?;
        let series = |name: &str| samples.get(name).cloned().unwrap_or_default();
        let per_second = |us: &[f64]| -> Vec<f64> { us.iter().map(|us| 1e6 / us).collect() };
        let mut rows = Vec::new();
        for name in CONTENDERS {
            let (values, unit) = match work {
                Work::Queries => (series(name), "us/query"),
                Work::FullHandshakes | Work::ResumedHandshakes => {
                    (per_second(&series(name)), "/CPU s")
                }
            };
            rows.push(Row::new(
                format!("{what}: {name}"),
                unit,
                median(&values),
                values,
                None,
            ));
        }
        let compared = match work {
            Work::Queries => ratios(&series(TIDEGATE), &series(HAPROXY)),
            Work::FullHandshakes | Work::ResumedHandshakes => ratios(
                &per_second(&series(TIDEGATE)),
                &per_second(&series(HAPROXY)),
            ),
        };
        let bar = (work == Work::Queries).then_some(Bar::AtMost(1.0));
        let name = format!("{what}: {TIDEGATE} / HAProxy's");
        rows.push(Row::new(name, "x", median(&compared), compared, bar));
        Ok(rows)
    }

    /// Processor time of the contender for each piece of work, in microseconds.
    fn sample(&self, name: &str, work: Work, seconds: u64) -> Result<f64> {
        let (address, door, pid) = self.contender(name, work);
        let end = Instant::now() + Duration::from_secs(seconds);
        let before = procfs::cpu_time(pid)?.total();
        let done = thread::scope(|scope| {
            let workers: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (trust, account) = (&self.trust, &self.account);
                    scope.spawn(move || match work {
                        Work::Queries => queries(address, door, trust, account, number, end),
                        Work::FullHandshakes => handshakes(address, door, &trust.forgetful(), end),
                        Work::ResumedHandshakes => {
                            handshakes(address, door, &trust.separate(), end)
                        }
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().map_err(|_| anyhow!("a client panicked"))?)
                .sum::<Result<u64>>()
        })?;
        let used = procfs::cpu_time(pid)?.total() - before;
        Ok(used.as_secs_f64() * 1e6 / done as f64)
    }
}

fn queries(
    address: SocketAddr,
    door: Door,
    trust: &Trust,
    account: &Account,
    number: usize,
    end: Instant,
) -> Result<u64> {
    let mut client = Client::log_in(address, door, trust, account).context("a login")?;
    client.query("USE test")?;
    let mut done = 0;
    while Instant::now() < end {
        let id = 1 + (done * 7919 + number as u64 * 31) % 10_000;
        client.query(&format!("SELECT c FROM sbtest1 WHERE id={id}"))?;
        done += 1;
    }
    Ok(done)
}

fn handshakes(address: SocketAddr, door: Door, trust: &Trust, end: Instant) -> Result<u64> {
    let mut done = 0;
    while Instant::now() < end {
        Client::handshake(address, door, trust).context("a handshake")?;
        done += 1;
    }
    Ok(done)
}
