//! What the machine has to give: processors and descriptors.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How many workers `threads=auto` means: the processors this process may run on, or the share of
/// them that its control group allows, rounded up.
#[must_use]
pub fn available_cores() -> usize {
    let affinity = sched_getaffinity(None).map_or(1, |set| set.count() as usize);
    let quota = std::fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|groups| smallest_quota(&groups, |path| std::fs::read_to_string(path).ok()));
    quota.map_or(affinity, |quota| affinity.min(quota)).max(1)
}

/// The smallest quota of this process's control groups and all above it, in whole processors.
fn smallest_quota(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<usize> {
    groups
        .lines()
        .filter_map(|line| {
            // hierarchy-ID:controller-list:cgroup-path (cgroups(7))
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let path = Path::new(path.trim_start_matches('/'));
            let above = path.ancestors();
            if controllers.is_empty() {
                let root = Path::new("/sys/fs/cgroup");
                above
                    .filter_map(|group| quota_v2(&read(&root.join(group).join("cpu.max"))?))
                    .min()
            } else if controllers.split(',').any(|name| name == "cpu") {
                let root = Path::new("/sys/fs/cgroup").join(controllers);
                above
                    .filter_map(|group| {
                        let group = root.join(group);
                        quota_v1(
                            &read(&group.join("cpu.cfs_quota_us"))?,
                            &read(&group.join("cpu.cfs_period_us"))?,
                        )
                    })
                    .min()
            } else {
                None
            }
        })
        .min()
}

/// `cpu.max`: quota and period in microseconds, or `max`.
fn quota_v2(text: &str) -> Option<usize> {
    let (quota, period) = text.trim().split_once(' ')?;
    quota_v1(quota, period)
}

fn quota_v1(quota: &str, period: &str) -> Option<usize> {
    let (quota, period): (u64, u64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0 && period > 0).then(|| usize::try_from(quota.div_ceil(period)).unwrap_or(usize::MAX))
}

/// The processors that `workers` are to stay on, one each; none where they are more or fewer than
/// the processors, whose use is better left to the system then.
pub(crate) fn places(workers: usize) -> Vec<usize> {
    let Ok(allowed) = sched_getaffinity(None) else {
        return Vec::new();
    };
    if allowed.count() as usize != workers {
        return Vec::new();
    }
    (0..CpuSet::MAX_CPU)
        .filter(|processor| allowed.is_set(*processor))
        .collect()
}

/// Keeps the calling thread on one processor.
///
/// # Errors
/// The system does not allow it; the thread runs where it may.
pub(crate) fn stay_on(processor: usize) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
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

    fn quota(groups: &str, files: &[(&str, &str)]) -> Option<usize> {
        smallest_quota(groups, |path| {
            files
                .iter()
                .find(|(name, _)| path == Path::new(name))
                .map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_tightest_group_above_counts_rounded_up() {
        let files = [
            ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/a/cpu.max", "250000 100000\n"),
            ("/sys/fs/cgroup/cpu.max", "800000 100000\n"),
        ];
        assert_eq!(quota("0::/a/b\n", &files), Some(3));
        assert_eq!(quota("0::/\n", &files), Some(8));
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
        assert_eq!(quota(groups, &files), Some(1));
    }

    #[test]
    fn as_many_workers_as_processors_have_one_each() {
        let processors = sched_getaffinity(None).unwrap().count() as usize;
        let places = places(processors);
        assert_eq!(places.len(), processors);
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn more_or_fewer_workers_are_placed_by_the_system() {
        let processors = sched_getaffinity(None).unwrap().count() as usize;
        assert_eq!(places(processors + 1), Vec::<usize>::new());
        assert_eq!(places(processors - 1), Vec::<usize>::new());
    }

    #[test]
    fn a_thread_stays_on_its_processor() {
        let processor = places(sched_getaffinity(None).unwrap().count() as usize)[0];
        let seen = std::thread::spawn(move || {
            stay_on(processor).unwrap();
            sched_getaffinity(None).unwrap()
        })
        .join()
        .unwrap();
        assert_eq!(seen.count(), 1);
        assert!(seen.is_set(processor));
    }

    #[test]
    fn this_machine_has_some() {
        let cores = available_cores();
        assert!(
            cores >= 1
                && cores <= std::thread::available_parallelism().map_or(cores, |n| n.get() + 1)
        );
        assert!(raise_descriptor_limit().unwrap() > 0);
    }
}
