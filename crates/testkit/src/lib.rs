//! Test tools: real MariaDB groups, scripted peers, faults.
