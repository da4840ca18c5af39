//! What the machine has to give: processors and descriptors.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The machine, and what of it this process may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Processors of the machine.
    pub cores_physical: usize,
    /// Processors that this process may run on (its affinity).
    pub cores_available: usize,
    /// How many processors' worth of time its control groups allow; `cores_available` where they
    /// set no limit.
    pub cores_virtual: f64,
    /// Memory of the machine, in bytes; one GiB if the system's number makes no sense.
    pub memory_physical_bytes: u64,
    /// The memory that its control groups allow; all of it where they set no limit.
    pub memory_available_bytes: u64,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn look() -> Machine {
        let cores_available = sched_getaffinity(None).map_or(1, |set| set.count() as usize);
        let info = rustix::system::sysinfo();
        let memory = info.totalram.checked_mul(u64::from(info.mem_unit));
        let memory = memory.filter(|bytes| *bytes > 0).unwrap_or(1 << 30);
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let possible = read(Path::new("/sys/devices/system/cpu/present"));
        let cores = cores_available as f64;
        Machine {
            cores_physical: possible
                .and_then(|list| count(&list))
                .unwrap_or(cores_available),
            cores_available,
            cores_virtual: smallest_quota(&groups, read).map_or(cores, |quota| quota.min(cores)),
            memory_physical_bytes: memory,
            memory_available_bytes: smallest_memory(&groups, read)
                .map_or(memory, |limit| limit.min(memory)),
        }
    }

    /// How many workers `threads=auto` means: the processors' worth of time there is, rounded up.
    #[must_use]
    pub fn workers(&self) -> usize {
        (self.cores_virtual.ceil() as usize).max(1)
    }
}

/// How many there are in a list of ranges like `0-3,6`.
fn count(list: &str) -> Option<usize> {
    let mut count = 0;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        count += (last + 1).checked_sub(first)?;
    }
    Some(count)
}

/// The smallest processor quota of this process's control groups and all above it, in processors.
fn smallest_quota(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<f64> {
    smallest(groups, "cpu", |group, newer| {
        if newer {
            let text = read(&group.join("cpu.max"))?;
            let (quota, period) = text.trim().split_once(' ')?;
            quota_of(quota, period)
        } else {
            quota_of(
                &read(&group.join("cpu.cfs_quota_us"))?,
                &read(&group.join("cpu.cfs_period_us"))?,
            )
        }
    })
}

/// The smallest memory limit of them, in bytes.
fn smallest_memory(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    smallest(groups, "memory", |group, newer| {
        let name = if newer {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        read(&group.join(name))?.trim().parse().ok()
    })
}

/// The smallest of the limits that `limit` reads in this process's control groups and all above
/// them: it is told a group's folder, and whether it is one of the newer layout.
fn smallest<T: PartialOrd>(
    groups: &str,
    controller: &str,
    limit: impl Fn(&Path, bool) -> Option<T>,
) -> Option<T> {
    let mut least = None;
    for line in groups.lines() {
        // hierarchy-ID:controller-list:cgroup-path (cgroups(7))
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let newer = controllers.is_empty();
        if !newer && !controllers.split(',').any(|name| name == controller) {
            continue;
        }
        let root = Path::new("/sys/fs/cgroup").join(controllers);
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let found = limit(&root.join(group), newer);
            if let Some(found) = found
                && least.as_ref().is_none_or(|least| found < *least)
            {
                least = Some(found);
            }
        }
    }
    least
}

/// Quota and period in microseconds; the quota may be `max` or -1.
fn quota_of(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (i64, i64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// The processors that each of `workers` is to stay on: one each, or all of them where they are more
/// or fewer than the processors, whose use is better left to the system then. Empty: the system does
/// not tell.
pub(crate) fn places(workers: usize) -> Vec<CpuSet> {
    let Ok(allowed) = sched_getaffinity(None) else {
        return Vec::new();
    };
    if allowed.count() as usize != workers {
        return vec![allowed; workers];
    }
    (0..CpuSet::MAX_CPU)
        .filter(|processor| allowed.is_set(*processor))
        .map(|processor| {
            let mut one = CpuSet::new();
            one.set(processor);
            one
        })
        .collect()
}

/// Keeps the calling thread on these processors.
///
/// # Errors
/// The system does not allow it; the thread runs where it may.
pub(crate) fn stay_on(processors: &CpuSet) -> std::io::Result<()> {
    Ok(sched_setaffinity(None, processors)?)
}

/// Raises the limit of open descriptors as far as the process may, and says what it is now.
///
/// # Errors
/// The system refuses; the limit is as it was.
pub fn raise_descriptor_limit() -> std::io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )?;
    }
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(groups: &str, files: &[(&str, &str)]) -> Option<f64> {
        smallest_quota(groups, |path| {
            files
                .iter()
                .find(|(name, _)| path == Path::new(name))
                .map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_tightest_group_above_counts() {
        let files = [
            ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/a/cpu.max", "250000 100000\n"),
            ("/sys/fs/cgroup/cpu.max", "800000 100000\n"),
        ];
        assert_eq!(quota("0::/a/b\n", &files), Some(2.5));
        assert_eq!(quota("0::/\n", &files), Some(8.0));
        assert_eq!(quota("0::/elsewhere\n", &files[..2]), None);
    }

    #[test]
    fn the_older_layout() {
        let groups = "4:memory:/x\n3:cpu,cpuacct:/x\n0::/\n";
        let files = [
            ("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota(groups, &files), Some(0.5));
    }

    #[test]
    fn memory_is_limited_by_the_tightest_group() {
        let files = [
            ("/sys/fs/cgroup/a/memory.max", "1073741824\n"),
            ("/sys/fs/cgroup/memory.max", "max\n"),
            ("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4096\n"),
        ];
        let limit = |groups| {
            smallest_memory(groups, |path| {
                let found = files.iter().find(|(name, _)| path == Path::new(name));
                found.map(|(_, text)| (*text).to_owned())
            })
        };
        assert_eq!(limit("0::/a/b\n"), Some(1 << 30));
        assert_eq!(limit("0::/\n"), None);
        assert_eq!(limit("4:memory:/x\n3:cpu:/x\n"), Some(4096));
    }

    #[test]
    fn ranges_are_counted() {
        assert_eq!(count("0-3\n"), Some(4));
        assert_eq!(count("0,2-3"), Some(3));
        assert_eq!(count("none"), None);
    }

    #[test]
    fn parts_of_a_processor_take_a_whole_worker() {
        let machine = Machine {
            cores_virtual: 2.5,
            ..Machine::look()
        };
        assert_eq!(machine.workers(), 3);
    }

    #[test]
    fn as_many_workers_as_processors_have_one_each() {
        let processors = sched_getaffinity(None).unwrap().count() as usize;
        let places = places(processors);
        assert_eq!(places.len(), processors);
        assert!(places.iter().all(|place| place.count() == 1));
        assert!(places.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn more_or_fewer_workers_are_placed_by_the_system() {
        let all = sched_getaffinity(None).unwrap();
        let processors = all.count() as usize;
        assert_eq!(places(processors + 1), vec![all; processors + 1]);
        assert_eq!(places(processors - 1), vec![all; processors - 1]);
    }

    #[test]
    fn a_thread_stays_on_its_processor() {
        let processor = places(sched_getaffinity(None).unwrap().count() as usize)[0];
        let seen = std::thread::spawn(move || {
            stay_on(&processor).unwrap();
            sched_getaffinity(None).unwrap()
        })
        .join()
        .unwrap();
        assert_eq!(seen, processor);
    }

    #[test]
    fn this_machine_has_some() {
        let machine = Machine::look();
        assert!(machine.workers() >= 1 && machine.workers() <= machine.cores_available);
        assert!(machine.cores_available <= machine.cores_physical);
        assert!(machine.memory_available_bytes <= machine.memory_physical_bytes);
        assert!(raise_descriptor_limit().unwrap() > 0);
    }
}
