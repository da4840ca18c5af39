//! Before a fatal signal ends the process, it leaves a report: which signal, which session was
//! being served, and where each thread was.
//!
//! Everything from the handlers on keeps to signal-safety(7): no allocation, no lock, no Rust
//! formatting. Left out: names of functions, which a stripped program does not have; `addr2line`
//! finds them by the offsets in an unstripped build of the same commit.
//!
//! The invariant: whatever goes wrong while reporting, the process ends by the signal it got.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use libc::{c_int, c_void};

/// What ends the process, with its name.
const FATAL: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGBUS, "SIGBUS"),
];

/// Asks a thread where it is; means nothing while nothing fatal has happened.
const ROLL_CALL: c_int = libc::SIGUSR2;

/// How long a thread may take to answer, in milliseconds: it may hang in the kernel.
const ANSWER_MS: u32 = 200;

/// The log file, which is opened anew for the report: its descriptor may have changed.
static LOG: OnceLock<CString> = OnceLock::new();

/// The thread that got the signal; 0: nothing has happened.
static DYING: AtomicI32 = AtomicI32::new(0);

/// The log file's descriptor while the report is written.
static LOG_FD: AtomicI32 = AtomicI32::new(-1);

/// How many threads have answered.
static ANSWERS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The session that this thread serves; 0: none.
    static SESSION: Cell<u64> = const { Cell::new(0) };
}

/// From now on this thread serves a session, or none (0).
#[inline]
pub(crate) fn serving(session: u64) {
    SESSION.set(session);
}

/// From now on a fatal signal (SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS) is reported on standard
/// error and at the end of this log file before it ends the process.
///
/// # Errors
/// The system refused, or the path holds a zero byte.
pub fn report_fatal_signals(log: Option<&Path>) -> io::Result<()> {
    if let Some(path) = log {
        let _ = LOG.set(CString::new(path.as_os_str().as_bytes())?);
    }
    // The unwinder is loaded with its first use, which allocates.
    stack(-1);
    for (signal, _) in FATAL {
        // The default comes back with the first one; a stack that is used up is no place for it.
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
        install(signal, died as *const () as usize, flags)?;
    }
    install(ROLL_CALL, called as *const () as usize, libc::SA_RESTART)
}

fn install(signal: c_int, handler: usize, flags: c_int) -> io::Result<()> {
    // SAFETY: a `sigaction` of zeroes is a valid one: no flags, an empty mask, the default.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: `action` is valid for the call, and the handler is a function with the signature
    // that the flags announce, which keeps to what handlers may do.
    match unsafe { libc::sigaction(signal, &raw const action, null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn died(signal: c_int, info: *const libc::siginfo_t, _: *const c_void) {
    let me = thread_id();
    if DYING
        .compare_exchange(0, me, Ordering::SeqCst, Ordering::SeqCst)
        .is_err()
    {
        if DYING.load(Ordering::SeqCst) != me {
            // Another thread is reporting already, and ends the process soon.
            loop {
                // SAFETY: `pause` has no conditions.
                unsafe { libc::pause() };
            }
        }
        return raise(signal);
    }
    if let Some(path) = LOG.get() {
        let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: the path ends with a zero byte and lives as long as the process.
        LOG_FD.store(
            unsafe { libc::open(path.as_ptr(), flags) },
            Ordering::SeqCst,
        );
    }
    // SAFETY: the kernel hands over a valid `siginfo_t` to a handler with SA_SIGINFO, and all of these
    // signals have an address in it, be it meaningless.
    let address = unsafe { (*info).si_addr() } as usize;
    let name = FATAL.iter().find(|(number, _)| *number == signal);
    let mut text = Text::new();
    text.push("\ntidegate: fatal signal ");
    text.push(name.map_or("", |(_, name)| name));
    text.push(" at address 0x");
    text.number(address as u64, 16);
    text.push(", unix time ");
    text.number(now(), 10);
    text.push(", session ");
    text.number(SESSION.get(), 10);
    text.push(" (0: none)\n");
    text.write();
    report_this_thread();
    roll_call(me);
    raise(signal);
}

/// Ends the process as the signal does by itself, once the handler has returned.
fn raise(signal: c_int) {
    // SAFETY: neither call has conditions.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

extern "C" fn called(_: c_int) {
    if DYING.load(Ordering::SeqCst) == 0 {
        return;
    }
    report_this_thread();
    ANSWERS.fetch_add(1, Ordering::SeqCst);
}

fn report_this_thread() {
    let mut name = [0u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, its zero byte included.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    let mut text = Text::new();
    text.push("thread ");
    text.number(thread_id().unsigned_abs().into(), 10);
    text.push(" ");
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    text.bytes(&name[..length]);
    text.push("\n");
    text.write();
    for fd in sinks() {
        stack(fd);
    }
}

/// Writes where this thread is, a line a call; to nowhere if the descriptor is negative.
#[cfg(target_env = "gnu")]
fn stack(fd: c_int) {
    const DEPTH: usize = 48;
    let mut frames = [null_mut::<c_void>(); DEPTH];
    // SAFETY: there is room for as many frames as the call is told.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), DEPTH as c_int) };
    if fd >= 0 {
        // SAFETY: the call before has filled so many frames.
        unsafe { libc::backtrace_symbols_fd(frames.as_ptr(), count, fd) };
    }
}

#[cfg(not(target_env = "gnu"))]
fn stack(_: c_int) {}

/// Lets all other threads report, one after the other.
fn roll_call(me: c_int) {
    const TASKS: &std::ffi::CStr = c"/proc/self/task";
    // SAFETY: the path is a constant with its zero byte.
    let folder = unsafe { libc::open(TASKS.as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY) };
    let mut buffer = [0u64; 128];
    loop {
        let size = size_of_val(&buffer);
        // SAFETY: the kernel writes at most `size` bytes into the buffer, which is aligned for its
        // entries; with a folder that is none it refuses.
        let count =
            unsafe { libc::syscall(libc::SYS_getdents64, folder, buffer.as_mut_ptr(), size) };
        let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
            return;
        };
        // SAFETY: the kernel has written so many bytes.
        let entries = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), count) };
        for_each_thread(entries, |thread| {
            if thread != me {
                call(thread);
            }
        });
    }
}

/// The threads among the entries of a folder, each a `linux_dirent64`: 8 bytes inode, 8 offset, 2
/// length of the entry, 1 type, the name with its zero byte.
fn for_each_thread(mut entries: &[u8], mut each: impl FnMut(c_int)) {
    const NAME: usize = 19;
    while let Some(&[low, high]) = entries.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some(name) = entries.get(NAME..length) else {
            return;
        };
        let digits = name.iter().take_while(|byte| byte.is_ascii_digit());
        let number = digits.fold(0, |sum: c_int, digit| {
            sum.wrapping_mul(10).wrapping_add(c_int::from(digit - b'0'))
        });
        if number > 0 {
            each(number);
        }
        entries = entries.get(length..).unwrap_or_default();
    }
}

fn call(thread: c_int) {
    let before = ANSWERS.load(Ordering::SeqCst);
    // SAFETY: no conditions; a thread that is gone is an error.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, ROLL_CALL) };
    if sent != 0 {
        return;
    }
    for _ in 0..ANSWER_MS {
        if ANSWERS.load(Ordering::SeqCst) != before {
            return;
        }
        let millisecond = libc::timespec {
            tv_sec: 0,
            tv_nsec: 1_000_000,
        };
        // SAFETY: the time is valid, and what is left of it is not asked for.
        unsafe { libc::nanosleep(&raw const millisecond, null_mut()) };
    }
}

fn thread_id() -> c_int {
    // SAFETY: `gettid` has no conditions.
    unsafe { libc::gettid() }
}

/// Seconds since 1970.
fn now() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the place is valid for a time to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, time.as_mut_ptr()) };
    // SAFETY: zeroes are a time too, if nothing was written.
    u64::try_from(unsafe { time.assume_init() }.tv_sec).unwrap_or(0)
}

/// Standard error, and the log file if there is one.
fn sinks() -> impl Iterator<Item = c_int> {
    let log = LOG_FD.load(Ordering::SeqCst);
    [libc::STDERR_FILENO, log].into_iter().filter(|fd| *fd >= 0)
}

/// A short text made without allocating; what does not fit is cut off.
struct Text {
    bytes: [u8; 192],
    length: usize,
}

impl Text {
    fn new() -> Text {
        Text {
            bytes: [0; 192],
            length: 0,
        }
    }

    fn push(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes[self.length..].iter_mut().zip(bytes) {
            *place = *byte;
            self.length += 1;
        }
    }

    fn number(&mut self, mut number: u64, base: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[(number % base) as usize];
            number /= base;
            if number == 0 || at == 0 {
                break;
            }
        }
        self.bytes(&digits[at..]);
    }

    fn write(&self) {
        for fd in sinks() {
            // SAFETY: so many bytes are there. What cannot be written has nobody to be told to.
            unsafe { libc::write(fd, self.bytes.as_ptr().cast(), self.length) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_without_the_formatting_machinery() {
        let mut text = Text::new();
        text.number(0, 10);
        text.push(" ");
        text.number(u64::MAX, 10);
        text.push(" ");
        text.number(0xDEAD_BEEF, 16);
        assert_eq!(
            &text.bytes[..text.length],
            b"0 18446744073709551615 deadbeef"
        );
        text.bytes(&[b'x'; 500]);
        assert_eq!(text.length, text.bytes.len());
    }

    #[test]
    fn threads_are_found_among_entries() {
        let entry = |name: &str| {
            let mut bytes = vec![0; 24];
            bytes[16] = 24;
            bytes[19..19 + name.len()].copy_from_slice(name.as_bytes());
            bytes
        };
        let entries = [entry("."), entry(".."), entry("17"), entry("4023")].concat();
        let mut threads = Vec::new();
        for_each_thread(&entries, |thread| threads.push(thread));
        assert_eq!(threads, [17, 4023]);
        for_each_thread(&entries[..70], |thread| threads.push(thread));
        assert_eq!(threads, [17, 4023]);
    }
}
