//! What the kernel tells of a process: processor time and memory.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Processor time a process has used, all its threads together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    /// In its own code.
    pub user: Duration,
    /// In the kernel on its behalf.
    pub system: Duration,
}

impl CpuTime {
    /// Both parts together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.user + self.system
    }
}

/// The processor time of a process.
///
/// # Errors
/// There is no such process.
pub fn cpu_time(pid: u32) -> Result<CpuTime> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("no process {pid}"))?;
    // The program's name may hold blanks and parentheses; the fields begin after the last one.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = |index: usize| -> Result<u64> {
        let field = fields
            .split_whitespace()
            .nth(index)
            .context("a short stat line")?;
        Ok(field.parse()?)
    };
    let a_second = rustix::param::clock_ticks_per_second();
    let time = |ticks: u64| Duration::from_millis(ticks * 1000 / a_second);
    // proc(5): utime is field 14, stime 15; the first field after the name is number 3.
    Ok(CpuTime {
        user: time(ticks(11)?),
        system: time(ticks(12)?),
    })
}

/// The processor time of each thread of a process, by the thread's name and id.
///
/// # Errors
/// There is no such process.
pub fn thread_cpu_times(pid: u32) -> Result<Vec<(String, u32, Duration)>> {
    let mut times = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = entry?.path();
        let id = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("0")
            .parse()?;
        let name = fs::read_to_string(folder.join("comm"))?.trim().to_owned();
        // The first field is the time on a processor in nanoseconds.
        let stat = fs::read_to_string(folder.join("schedstat"))?;
        let nanos = stat.split_whitespace().next().unwrap_or("0").parse()?;
        times.push((name, id, Duration::from_nanos(nanos)));
    }
    Ok(times)
}

/// A process's memory that is resident now, in bytes.
///
/// # Errors
/// There is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The largest resident memory a process ever had, in bytes.
///
/// # Errors
/// There is no such process.
pub fn peak_resident_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("no process {pid}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .context("no such line")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let me = std::process::id();
        let before = cpu_time(me).expect("own times");
        crate::wait_until("some processor time", || {
            std::hint::black_box((0..200_000u64).sum::<u64>());
            cpu_time(me).expect("own times").total() > before.total()
        })
        .expect("time passes");
        assert!(resident_bytes(me).expect("own memory") > 100_000);
        assert!(peak_resident_bytes(me).expect("own peak") >= 100_000);
        assert!(!thread_cpu_times(me).expect("own threads").is_empty());
    }
}
