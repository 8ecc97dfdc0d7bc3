//! What this kernel's io_uring can do, found by asking it feature by feature.
//!
//! Each answer comes from a small ring of its own or from a request that a kernel without the feature
//! refuses with EINVAL; version numbers are no evidence, since distributions backport. Costs a few
//! milliseconds and leaves nothing behind. Not here: what a missing feature means; see `doctor`.
//! Start at [`ring_features`].

use super::buffers::BufferRing;
use io_uring::{Builder, IoUring, Probe, opcode, squeue, types};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// One feature of io_uring that the `uring` driver uses where it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// As the kernel's headers call it.
    pub name: &'static str,
    /// The first Linux release that has it.
    pub since: &'static str,
    /// This kernel has it.
    pub works: bool,
}

/// Every feature that the `uring` driver uses, or can be told to use, each probed once.
///
/// # Errors
/// The kernel's own error where no ring can be made at all: EPERM (sysctl or seccomp), ENOSYS, ENOMEM,
/// EMFILE; or where a socket to probe with was refused.
pub fn ring_features() -> io::Result<Vec<Feature>> {
    let mut ring = IoUring::new(ENTRIES)?;
    let bits = ring.params().clone();
    let mut features = vec![
        Feature { name: "EXT_ARG", since: "5.11", works: bits.is_feature_ext_arg() },
        Feature { name: "REGISTER_RING_FDS", since: "5.18", works: registers_itself(&mut ring) },
        Feature { name: "MSG_RING", since: "5.18", works: delivers_messages(&ring)? },
    ];
    for (name, since, set_up) in SET_UPS {
        features.push(Feature { name, since, works: sets_up(set_up)? });
    }
    features.extend([
        Feature { name: "provided buffer ring", since: "5.19", works: lends_buffers(&ring)? },
        Feature { name: "multishot accept", since: "5.19", works: accepts_many()? },
        Feature { name: "multishot recv", since: "6.0", works: receives_many()? },
        Feature {
            name: "fixed files",
            since: "5.19",
            works: known(ring.submitter().register_files_sparse(1))?,
        },
        Feature { name: "NAPI busy poll", since: "6.9", works: polls_devices(&ring) },
        // The bit is MIN_TIMEOUT's; absolute deadlines came with it and have none of their own.
        Feature { name: "ABS_TIMER", since: "6.12", works: bits.is_feature_min_timeout() },
        Feature { name: "NO_IOWAIT", since: "6.15", works: bits.is_feature_no_iowait() },
    ]);
    Ok(features)
}

/// Chosen: no probe has more than one request in flight.
const ENTRIES: u32 = 4;

type SetUp = fn(&mut Builder);

/// Set-up flags, each with those that it cannot do without.
const SET_UPS: [(&str, &str, SetUp); 6] = [
    ("SUBMIT_ALL", "5.18", |ring| {
        ring.setup_submit_all();
    }),
    ("COOP_TASKRUN", "5.19", |ring| {
        ring.setup_coop_taskrun();
    }),
    ("TASKRUN_FLAG", "5.19", |ring| {
        ring.setup_coop_taskrun().setup_taskrun_flag();
    }),
    ("SINGLE_ISSUER", "6.0", |ring| {
        ring.setup_single_issuer();
    }),
    ("DEFER_TASKRUN", "6.1", |ring| {
        ring.setup_single_issuer().setup_defer_taskrun();
    }),
    ("NO_SQARRAY", "6.6", |ring| {
        ring.setup_no_sqarray();
    }),
];

/// Whether a ring can be made with these flags; any error but EINVAL says nothing about them.
fn sets_up(set_up: SetUp) -> io::Result<bool> {
    let mut builder = IoUring::builder();
    set_up(&mut builder);
    known(builder.build(ENTRIES).map(drop))
}

fn known(outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The submitter forgets the registration at once, and the kernel with the thread.
fn registers_itself(ring: &mut IoUring) -> bool {
    let mut submitter = ring.submitter();
    submitter.register_ring_fd().and_then(|()| submitter.unregister_ring_fd()).is_ok()
}

/// A kernel built without NET_RX_BUSY_POLL lacks it too, with another error.
fn polls_devices(ring: &IoUring) -> bool {
    ring.submitter().register_napi(&mut types::Napi::new()).is_ok()
}

fn lends_buffers(ring: &IoUring) -> io::Result<bool> {
    known(BufferRing::register(ring, 1, 64).and_then(|buffers| {
        // Unregistered before the memory goes; where that fails, the kernel keeps it.
        let unregistered = ring.submitter().unregister_buf_ring(super::buffers::RECEIVE_GROUP);
        if unregistered.is_err() {
            std::mem::forget(buffers);
        }
        unregistered
    }))
}

fn delivers_messages(ring: &IoUring) -> io::Result<bool> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    if !probe.is_supported(opcode::MsgRingData::CODE) {
        return Ok(false);
    }
    let mut target: IoUring = IoUring::new(ENTRIES)?;
    let fd = types::Fd(target.as_raw_fd());
    let sent = is_taken(&opcode::MsgRingData::new(fd, 0, 1, None).build())?;
    Ok(sent && target.completion().next().is_some())
}

fn accepts_many() -> io::Result<bool> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    is_taken(&opcode::AcceptMulti::new(types::Fd(listener.as_raw_fd())).build())
}

/// The buffer group that it names has no buffers, so nothing can be received: a kernel that knows
/// the request says ENOBUFS, or waits.
fn receives_many() -> io::Result<bool> {
    let (ours, _theirs) = UnixStream::pair()?;
    is_taken(&opcode::RecvMulti::new(types::Fd(ours.as_raw_fd()), NO_GROUP).build())
}

/// Chosen: any number but that of a registered group.
const NO_GROUP: u16 = 77;

/// Submits `entry`, which must name no memory of ours, to a ring of its own; `false` if the kernel
/// answers EINVAL. What waits instead is known, and is cancelled when the ring is dropped.
fn is_taken(entry: &squeue::Entry) -> io::Result<bool> {
    let mut ring: IoUring = IoUring::new(ENTRIES)?;
    // SAFETY: the entry names no memory, so there is none to outlive it; what descriptors it names,
    // the kernel holds by itself.
    unsafe { ring.submission().push(entry) }.map_err(io::Error::other)?;
    ring.submit()?;
    Ok(ring.completion().next().is_none_or(|answer| answer.result() != -libc::EINVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_up_flag_that_no_kernel_has_is_reported_missing() {
        // SQ_AFF without SQPOLL is refused with EINVAL by every kernel.
        let nonsense: SetUp = |ring| {
            ring.setup_sqpoll_cpu(0);
        };
        match sets_up(nonsense) {
            Ok(works) => assert!(!works),
            Err(error) => assert_ne!(error.raw_os_error(), Some(libc::EINVAL)),
        }
    }

    /// Where io_uring is forbidden there is nothing to compare.
    #[test]
    fn a_kernel_with_deferred_task_work_has_all_that_is_older() {
        let Ok(features) = ring_features() else { return };
        let works = |name: &str| features.iter().any(|f| f.name == name && f.works);
        let older = features.iter().filter(|f| f.since.starts_with("5.") || f.since == "6.0");
        let missing: Vec<&str> = older.filter(|f| !f.works).map(|f| f.name).collect();
        assert!(!works("DEFER_TASKRUN") || missing.is_empty(), "missing: {missing:?}");
    }
}
