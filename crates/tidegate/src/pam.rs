//! PAM asked: by the helper processes of a running proxy, and by hand.
//!
//! A helper reads questions and writes answers until its input ends. It may be a program with the rights of
//! its file's owner (`pam_mode=suid`); such a program is nothing else, whatever it is called with.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use tidegate_catalog::{HELPER, LoginAnswer, LoginQuestion, serve_logins};
use tidegate_runtime::{Pam, PamQuestion};

use crate::exit::Failure;
use crate::secrets::{ToolError, Words, ask};

/// The word on the command line for a test by hand.
pub(crate) const TEST: &str = "pam-test";

/// Where services are described, the first place that has one counts.
const SERVICES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];

const USAGE: &str = "\
Usage: tidegate pam-test [--service NAME] [--code] [--host ADDRESS] USER

Asks a login service of this machine (PAM) as a listener with authenticator=PAMAuth would, and says what it
said. The password is read from standard input or, on a terminal, asked for.

      --service NAME   the service, a file in /etc/pam.d (without it: mysql)
      --code           asks for a code as well, as with pam_mode=password_2FA
      --host ADDRESS   where the user is said to be
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
    let pam = Pam::open();
    let answer = |question: &LoginQuestion| match &pam {
        Ok(pam) => answer(*pam, question),
        Err(error) => LoginAnswer {
            verdict: Err(error.clone()),
            messages: Vec::new(),
            warnings: Vec::new(),
        },
    };
    serve_logins(io::stdin().lock(), io::stdout().lock(), answer).map_err(Failure::Internal)
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
    let mut words = Words::read(words, &["--service", "--host"], USAGE)?;
    if words.take(["-h", "--help"]) {
        print!("{USAGE}");
        return Ok(());
    }
    let with_code = words.take(["--code", "--code"]);
    words.done(USAGE)?;
    let value = |name: &str| {
        let mut values = words.values.iter().rev();
        let found = values.find(|(known, _)| known == name);
        found.map(|(_, value)| value.to_string_lossy().into_owned())
    };
    let usage = |reason: &str| ToolError::Usage {
        reason: reason.to_owned(),
        usage: USAGE,
    };
    let [user] = words.plain.as_slice() else {
        return Err(usage("one user, please").into());
    };
    let pam = Pam::open().map_err(Failure::Pam)?;
    let secret = |prompt: &str| -> Result<_, ToolError> {
        Ok(ask(prompt, false)?.as_bytes().to_vec().into())
    };
    let question = LoginQuestion {
        service: value("--service").unwrap_or_else(|| "mysql".to_owned()),
        user: user.to_string_lossy().into_owned(),
        password: secret("Password: ")?,
        code: with_code
            .then(|| secret("Verification code: "))
            .transpose()?,
        host: value("--host").unwrap_or_default(),
    };
    let said = answer(pam, &question);
    for warning in &said.warnings {
        println!("warning: {warning}");
    }
    for message in &said.messages {
        println!("it says: {}", message.trim_end());
    }
    match said.verdict {
        Ok(known) if known == question.user => println!("'{known}' is let in"),
        Ok(known) => println!("'{}' is let in, as '{known}'", question.user),
        Err(reason) => {
            let text = format!("'{}' is not let in: {reason}", question.user);
            return Err(Failure::Pam(text));
        }
    }
    Ok(())
}
