//! PAM asked: by the helper processes of a running proxy, and by hand.
//!
//! A helper reads questions and writes answers until its input ends. It may be a program with the rights of
//! its file's owner (`pam_mode=suid`); such a program is nothing else, whatever it is called with.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tidegate_catalog::{
    Asker, HELPER, LoginAnswer, LoginQuestion, ask_login_service, serve_logins,
};
use tidegate_runtime::{Pam, PamQuestion, forget_environment};

use crate::exit::Failure;
use crate::limits;
use crate::secrets::{ToolError, Words, ask};

/// The word on the command line for a test by hand.
pub(crate) const TEST: &str = "pam-test";

/// Where services are described, the first place that has one counts.
const SERVICES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];

/// A question that takes longer ends the process. The proxy gives up earlier, and kills those that it may
/// kill; this is for the others.
const LIMIT: Duration = Duration::from_secs(15);

const USAGE: &str = "\
Usage: tidegate pam-test [OPTION]... USER

Asks a login service of this machine (PAM) as a listener with authenticator=PAMAuth would, and says what it
said. The password is read from standard input or, on a terminal, asked for. The status is 0 if USER would be
let in, and 3 if not.

      --service NAME   the service (without it: mysql)
      --code           asks for a code as well, as with pam_mode=password_2FA
      --host ADDRESS   where the user is said to be
      --suid           asks with the rights of tidegate-pam-helper, as with pam_mode=suid
      --socket PATH    asks at a socket, as with pam_helper_socket=PATH

How a login by PAM comes about:

  1. The servers have an account that names a service; without a name it is mysql.
       CREATE USER anna@'%' IDENTIFIED VIA pam USING 'db-logins';
  2. The service is a file of that name in /etc/pam.d, on the servers and on the proxy's machine:
       auth    required pam_unix.so
       account required pam_unix.so
     Without such a file PAM takes the one named 'other', which as a rule lets nobody in.
  3. The listener has authenticator=PAMAuth, and ssl=true, for clients send their password as it is.

Try it with the proxy's own rights; those of root see more:

  sudo -u tidegate tidegate pam-test --service db-logins anna

A service that only root can ask (pam_unix, whose /etc/shadow nobody else reads) lets nobody in then. Let it be
asked with other rights: pam_mode=suid or pam_helper_socket, which docs/authentication.md explains.
";

/// Has the process the rights of its file's owner, which its user has not?
pub(crate) fn is_suid() -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    (getuid(), getgid()) != (geteuid(), getegid())
}

/// A helper's whole life.
pub(crate) fn help(mut words: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    if words.next().is_none_or(|word| word != HELPER) {
        let text = format!("this program only asks PAM for a running proxy (word '{HELPER}')");
        return Err(Failure::Pam(text));
    }
    if is_suid() {
        forget_environment();
    }
    limits::no_core_file().map_err(|error| Failure::Internal(error.into()))?;
    let pam = Pam::open();
    let watch = watch();
    let answer = |question: &LoginQuestion| {
        // Once before, once after: without a watch there is nobody to tell.
        let _ = watch.send(());
        let said = match &pam {
            Ok(pam) => answer(*pam, question),
            Err(error) => LoginAnswer {
                verdict: Err(error.clone()),
                messages: Vec::new(),
                warnings: vec![error.clone()],
            },
        };
        let _ = watch.send(());
        said
    };
    serve_logins(io::stdin().lock(), io::stdout().lock(), answer).map_err(Failure::Internal)
}

/// Ends the process when the second of two signs does not follow the first in time.
fn watch() -> mpsc::Sender<()> {
    let (sender, signs) = mpsc::channel();
    std::thread::spawn(move || {
        while signs.recv().is_ok() {
            if signs.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                end();
            }
        }
    });
    sender
}

/// Ends this process at once, and with it what modules have started, where it leads a group of its own.
fn end() {
    use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process};
    // Neither can fail: they are this process's own.
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    let _ = kill_process(getpid(), Signal::KILL);
}

fn answer(pam: Pam, question: &LoginQuestion) -> LoginAnswer {
    let said = pam.ask(PamQuestion {
        service: &question.service,
        user: &question.user,
        password: &question.password,
        code: question.code.as_deref(),
        host: &question.host,
    });
    LoginAnswer {
        verdict: said.verdict,
        messages: said.messages,
        warnings: missing(&question.service).into_iter().collect(),
    }
}

/// What stands in the way of reading a service's description: PAM then takes that of `other`, which lets
/// nobody in as a rule.
fn missing(service: &str) -> Option<String> {
    let name = service.to_ascii_lowercase();
    let mut troubles = SERVICES.into_iter().map(|folder| {
        let path = Path::new(folder).join(&name);
        match std::fs::File::open(&path) {
            Ok(_) => None,
            Err(error) => Some(format!("{}: {error}", path.display())),
        }
    });
    let first = troubles.next()??;
    if troubles.any(|trouble| trouble.is_none()) {
        return None;
    }
    Some(format!(
        "PAM service '{service}' has no description that can be read, so that PAM asks 'other': {first}"
    ))
}

/// `tidegate pam-test`.
pub(crate) fn test(words: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let mut words = Words::read(words, &["--service", "--host", "--socket"], USAGE)?;
    if words.take(["-h", "--help"]) {
        print!("{USAGE}");
        return Ok(());
    }
    let with_code = words.take(["--code", "--code"]);
    let suid = words.take(["--suid", "--suid"]);
    words.done(USAGE)?;
    let value = |name: &str| {
        let mut values = words.values.iter().rev();
        values
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    let text = |name: &str| value(name).map(|value| value.to_string_lossy().into_owned());
    let [user] = words.plain.as_slice() else {
        return Err(Failure::Tool(ToolError::Usage {
            reason: "one user, please".to_owned(),
            usage: USAGE,
        }));
    };
    let asker = match value("--socket") {
        Some(path) => Asker::Socket(path.into()),
        None if suid => Asker::Suid,
        None => Asker::Own,
    };
    let secret = |prompt: &str| -> Result<_, ToolError> {
        Ok(ask(prompt, false)?.as_bytes().to_vec().into())
    };
    let question = LoginQuestion {
        service: text("--service").unwrap_or_else(|| "mysql".to_owned()),
        user: user.to_string_lossy().into_owned(),
        password: secret("Password: ")?,
        code: with_code
            .then(|| secret("Verification code: "))
            .transpose()?,
        host: text("--host").unwrap_or_default(),
    };
    tell(&question, ask_login_service(&asker, &question))
}

fn tell(question: &LoginQuestion, said: Result<LoginAnswer, String>) -> Result<(), Failure> {
    let (user, service) = (&question.user, &question.service);
    let said = said.map_err(|reason| {
        Failure::Pam(format!(
            "PAM service '{service}' could not be asked: {reason}"
        ))
    })?;
    for warning in &said.warnings {
        println!("warning: {warning}");
    }
    for message in &said.messages {
        println!("it says: {}", message.trim_end());
    }
    match said.verdict {
        Ok(known) if known == *user => println!("'{user}' is let in"),
        Ok(known) => println!("'{user}' is let in, as '{known}'"),
        Err(reason) => {
            return Err(Failure::Pam(format!("'{user}' is not let in: {reason}")));
        }
    }
    Ok(())
}
