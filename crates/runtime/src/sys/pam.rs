//! libpam, opened when it is needed, so that neither building nor starting Tidegate needs it.
//!
//! For helper processes: a module of PAM may wait for as long as it likes, and may bring its process down.
//!
//! Source: Linux-PAM, "The Linux-PAM Application Developers' Guide".

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

/// What a login service is asked.
#[derive(Debug, Clone, Copy)]
pub struct PamQuestion<'a> {
    /// The service's name.
    pub service: &'a str,
    /// Who wants in.
    pub user: &'a str,
    /// The password.
    pub password: &'a [u8],
    /// The answer to every other question.
    pub code: Option<&'a [u8]>,
    /// Where the user is; empty: here.
    pub host: &'a str,
}

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PamAnswer {
    /// Who it is, as the service knows it; or why it is not let in.
    pub verdict: Result<String, String>,
    /// What the service wants people to read.
    pub messages: Vec<String>,
}

const SUCCESS: c_int = 0;
const CONVERSATION_FAILED: c_int = 19;
const ASK_HIDDEN: c_int = 1;
const ASK: c_int = 2;
const USER: c_int = 2;
const HOST: c_int = 4;

/// Questions that begin so are for the password, in whichever case.
const PASSWORD: &[u8] = b"password";

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

#[repr(C)]
struct Conversation {
    converse: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[repr(C)]
struct Handle {
    _private: [u8; 0],
}

type Start = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const Conversation,
    *mut *mut Handle,
) -> c_int;
type Step = unsafe extern "C" fn(*mut Handle, c_int) -> c_int;
type SetItem = unsafe extern "C" fn(*mut Handle, c_int, *const c_void) -> c_int;
type GetItem = unsafe extern "C" fn(*const Handle, c_int, *mut *const c_void) -> c_int;
type Explain = unsafe extern "C" fn(*mut Handle, c_int) -> *const c_char;

/// The library.
#[derive(Debug, Clone, Copy)]
pub struct Pam {
    start: Start,
    authenticate: Step,
    check_account: Step,
    end: Step,
    set_item: SetItem,
    get_item: GetItem,
    explain: Explain,
}

/// What the conversation with the service knows and hears.
struct Script<'a> {
    password: &'a [u8],
    code: Option<&'a [u8]>,
    told_password: bool,
    /// The question that there was no answer to.
    unanswered: Option<String>,
    messages: Vec<String>,
}

/// Makes the environment that of a program started by nobody: modules trust what is there, and a program
/// with rights that its user has not was given it by that user.
///
/// Must be called before there are other threads.
pub fn forget_environment() {
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    // SAFETY: no other thread reads the environment meanwhile, for there is none.
    unsafe {
        for name in names {
            std::env::remove_var(name);
        }
        std::env::set_var("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    }
}

impl Pam {
    /// Opens the library.
    ///
    /// # Errors
    /// It is not installed, or is not what it should be.
    pub fn open() -> Result<Pam, String> {
        let name = c"libpam.so.0";
        // SAFETY: the name is a C string. What the library does when it is loaded is the system's affair;
        // it stays loaded for as long as the process lives, so what is found in it stays valid.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if library.is_null() {
            let text =
                "libpam.so.0 cannot be loaded: install the system's PAM library (libpam0g, pam)";
            return Err(text.to_owned());
        }
        let find = |name: &CStr| {
            // SAFETY: the library is open, the name a C string.
            let found = unsafe { libc::dlsym(library, name.as_ptr()) };
            if found.is_null() {
                Err(format!("libpam.so.0 has no {}", name.to_string_lossy()))
            } else {
                Ok(found)
            }
        };
        // SAFETY: these functions have had these types in every libpam.so.0; the number in its name would
        // change with them.
        unsafe {
            Ok(Pam {
                start: std::mem::transmute::<*mut c_void, Start>(find(c"pam_start")?),
                authenticate: std::mem::transmute::<*mut c_void, Step>(find(c"pam_authenticate")?),
                check_account: std::mem::transmute::<*mut c_void, Step>(find(c"pam_acct_mgmt")?),
                end: std::mem::transmute::<*mut c_void, Step>(find(c"pam_end")?),
                set_item: std::mem::transmute::<*mut c_void, SetItem>(find(c"pam_set_item")?),
                get_item: std::mem::transmute::<*mut c_void, GetItem>(find(c"pam_get_item")?),
                explain: std::mem::transmute::<*mut c_void, Explain>(find(c"pam_strerror")?),
            })
        }
    }

    /// Asks a service whether somebody may come in, the state of the account included.
    #[must_use]
    pub fn ask(&self, question: PamQuestion<'_>) -> PamAnswer {
        let mut script = Script {
            password: question.password,
            code: question.code,
            told_password: false,
            unanswered: None,
            messages: Vec::new(),
        };
        let verdict = self.converse(&question, &mut script);
        let unanswered = script.unanswered.take();
        PamAnswer {
            verdict: verdict.map_err(|reason| match unanswered {
                Some(asked) => format!(
                    "{reason}: it asks '{}', for which there is no answer; with pam_mode=password_2FA clients \
                     are asked for a code as well as for a password",
                    asked.trim()
                ),
                None => reason,
            }),
            messages: script.messages,
        }
    }

    fn converse(
        &self,
        question: &PamQuestion<'_>,
        script: &mut Script<'_>,
    ) -> Result<String, String> {
        let text =
            |text: &str| CString::new(text).map_err(|_| "a name with a NUL in it".to_owned());
        let (service, user, host) = (
            text(question.service)?,
            text(question.user)?,
            text(question.host)?,
        );
        let conversation = Conversation {
            converse,
            data: ptr::from_mut(script).cast(),
        };
        let mut handle = ptr::null_mut();
        // SAFETY: the strings and the conversation live until `end`, below. `handle` is written by it.
        let begun = unsafe {
            (self.start)(
                service.as_ptr(),
                user.as_ptr(),
                &raw const conversation,
                &raw mut handle,
            )
        };
        if begun != SUCCESS || handle.is_null() {
            return Err(format!(
                "PAM service '{}' cannot be used (code {begun}): is there a readable file of this name in \
                 /etc/pam.d?",
                question.service
            ));
        }
        // SAFETY: the handle is the one that `start` gave, and is used by this thread alone. While a step
        // runs, `converse` is called with the address of `script`, which nobody else uses meanwhile. The
        // host's name is copied.
        let (code, known) = unsafe {
            if !host.is_empty() {
                (self.set_item)(handle, HOST, host.as_ptr().cast());
            }
            let mut code = (self.authenticate)(handle, 0);
            if code == SUCCESS {
                code = (self.check_account)(handle, 0);
            }
            (code, self.user(handle))
        };
        let verdict = if code == SUCCESS {
            Ok(known.unwrap_or_else(|| question.user.to_owned()))
        } else {
            // SAFETY: it gives a text that lives as long as the library, or none.
            let text = unsafe { owned((self.explain)(handle, code)) };
            Err(text.unwrap_or_else(|| format!("PAM code {code}")))
        };
        // SAFETY: the handle is not used after this.
        unsafe { (self.end)(handle, code) };
        verdict
    }

    /// Whom the service knows the user as.
    ///
    /// # Safety
    /// `handle` must be one that `start` gave and `end` has not ended.
    unsafe fn user(&self, handle: *mut Handle) -> Option<String> {
        let mut item = ptr::null();
        // SAFETY: as the caller says. The text belongs to the handle and is copied at once.
        unsafe {
            let got = (self.get_item)(handle, USER, &raw mut item);
            (got == SUCCESS).then(|| owned(item.cast())).flatten()
        }
    }
}

/// A copy of a C string; `None`: there is none.
///
/// # Safety
/// `text` must be null or a C string.
unsafe fn owned(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

/// What a service says and asks on the way. It is given memory that it frees itself.
extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let Ok(count) = usize::try_from(count) else {
        return CONVERSATION_FAILED;
    };
    // SAFETY: Linux-PAM passes the address that `start` was given, an array of `count` pointers to messages,
    // and a place for one pointer. The responses are allocated as it wants to free them; `calloc` checks for
    // overflow and gives null texts.
    unsafe {
        let script = &mut *data.cast::<Script<'_>>();
        let answers: *mut Response = libc::calloc(count.max(1), size_of::<Response>()).cast();
        if answers.is_null() {
            return CONVERSATION_FAILED;
        }
        for index in 0..count {
            let message = &**messages.add(index);
            let Some(answer) = script.answer(message) else {
                for given in 0..index {
                    libc::free((*answers.add(given)).text.cast());
                }
                libc::free(answers.cast());
                return CONVERSATION_FAILED;
            };
            (*answers.add(index)).text = answer;
        }
        *responses = answers;
    }
    SUCCESS
}

impl Script<'_> {
    /// The answer to a question, null for what is no question; `None`: it cannot be answered.
    ///
    /// # Safety
    /// The message's text must be null or a C string.
    unsafe fn answer(&mut self, message: &Message) -> Option<*mut c_char> {
        // SAFETY: as the caller says.
        let text = unsafe { owned(message.text) }.unwrap_or_default();
        if !matches!(message.style, ASK_HIDDEN | ASK) {
            self.messages.push(text);
            return Some(ptr::null_mut());
        }
        let asked = text.trim_start().as_bytes();
        let for_password = asked
            .get(..PASSWORD.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(PASSWORD));
        // Without a code the one thing that is known answers the one question there may be.
        let answer = match self.code {
            Some(code) if !for_password => code,
            _ if self.told_password => {
                self.unanswered = Some(text);
                return None;
            }
            _ => {
                self.told_password = true;
                self.password
            }
        };
        let answer = CString::new(answer).ok()?;
        // SAFETY: a C string; the copy is the library's, and freed by it.
        let copy = unsafe { libc::strdup(answer.as_ptr()) };
        zeroize(answer);
        (!copy.is_null()).then_some(copy)
    }
}

fn zeroize(text: CString) {
    let mut bytes = text.into_bytes();
    zeroize::Zeroize::zeroize(&mut bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(code: Option<&'static [u8]>) -> Script<'static> {
        Script {
            password: b"secret",
            code,
            told_password: false,
            unanswered: None,
            messages: Vec::new(),
        }
    }

    fn say(script: &mut Script<'_>, style: c_int, text: &CStr) -> Option<String> {
        let message = Message {
            style,
            text: text.as_ptr(),
        };
        // SAFETY: the text is a C string; the answer is one too, and ours to free.
        unsafe {
            let answer = script.answer(&message)?;
            let text = owned(answer).unwrap_or_default();
            libc::free(answer.cast());
            Some(text)
        }
    }

    #[test]
    fn one_question_is_answered_with_the_password() {
        let mut script = script(None);
        assert_eq!(say(&mut script, 4, c"Welcome").as_deref(), Some(""));
        assert_eq!(
            say(&mut script, ASK_HIDDEN, c"Passphrase:").as_deref(),
            Some("secret")
        );
        assert_eq!(say(&mut script, ASK_HIDDEN, c"Password:"), None);
        assert_eq!(script.messages, ["Welcome"]);
        assert_eq!(script.unanswered.as_deref(), Some("Password:"));
    }

    #[test]
    fn other_questions_are_answered_with_the_code() {
        let mut script = script(Some(b"123456"));
        assert_eq!(
            say(&mut script, ASK, c"Verification code: ").as_deref(),
            Some("123456")
        );
        assert_eq!(
            say(&mut script, ASK_HIDDEN, c"password: ").as_deref(),
            Some("secret")
        );
        assert_eq!(say(&mut script, ASK, c"Token").as_deref(), Some("123456"));
        assert_eq!(say(&mut script, ASK_HIDDEN, c"Password: "), None);
    }

    #[test]
    fn a_service_that_nobody_has_lets_nobody_in() {
        let Ok(pam) = Pam::open() else { return };
        let answer = pam.ask(PamQuestion {
            service: "tidegate-no-such-service",
            user: "nobody-of-this-name",
            password: b"x",
            code: None,
            host: "",
        });
        assert!(answer.verdict.is_err(), "{answer:?}");
    }
}
