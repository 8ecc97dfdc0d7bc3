//! That each socket setting is in force, as the kernel tells it, on the listener and on what it accepts.

use super::listener::{BUSY_POLL, INCOMING_CPU};
use super::*;
use crate::units::Nanos;
use std::net::TcpStream;
use std::os::fd::AsFd;

fn listener(change: impl FnOnce(&mut SocketSettings)) -> Listener {
    let mut settings = SocketSettings::default();
    change(&mut settings);
    Listener::bind(([127, 0, 0, 1], 0).into(), &settings, Some(0)).unwrap()
}

/// The two ends of a connection that `listener` has accepted, its own first.
fn accept(listener: Listener) -> (TcpStream, TcpStream) {
    let peer = TcpStream::connect(listener.local_address().unwrap()).unwrap();
    (listener.into_std().accept().unwrap().0, peer)
}

fn option(fd: BorrowedFd<'_>, (level, name): OptionName) -> i32 {
    let (mut value, mut len) = (0i32, 4 as libc::socklen_t);
    let (into, len) = ((&raw mut value).cast(), &raw mut len);
    // SAFETY: the kernel writes at most `len` bytes to `value` during the call.
    assert_eq!(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, into, len) }, 0);
    value
}

const NODELAY: OptionName = (libc::IPPROTO_TCP, libc::TCP_NODELAY);

#[test]
fn accepted_sockets_have_nodelay_as_the_listener() {
    for nodelay in [true, false] {
        let (accepted, _peer) = accept(listener(|s| s.nodelay = nodelay));
        assert_eq!(option(accepted.as_fd(), NODELAY) != 0, nodelay);
    }
}

#[test]
fn busy_polling_is_inherited_or_a_note_says_what_it_needs() {
    let listener = listener(|s| s.busy_poll = Some(Nanos(49_001)));
    let notes = listener.notes().to_vec();
    let (accepted, _peer) = accept(listener);
    match option(accepted.as_fd(), BUSY_POLL) {
        50 => assert_eq!(notes, [""; 0]),
        other => assert!(other == 0 && notes[0].contains("CAP_NET_ADMIN"), "{other}, {notes:?}"),
    }
}

#[test]
fn the_listener_prefers_its_workers_cpu_only_if_asked() {
    let asked = listener(|s| s.incoming_cpu = true);
    assert_eq!(option(asked.as_fd(), INCOMING_CPU), 0);
    assert_eq!(option(listener(|_| {}).as_fd(), INCOMING_CPU), -1);
}

#[test]
fn the_backlog_is_as_asked_for_up_to_the_kernels_own_cap() {
    for backlog in [1, 7, 64] {
        let listener = listener(|s| s.backlog = backlog);
        // SAFETY: plain numbers, for which all zeros is a value.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
        let into = (&raw mut info).cast();
        let fd = listener.as_fd().as_raw_fd();
        // SAFETY: the kernel writes at most `len` bytes to `info` during the call.
        let outcome =
            unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, into, &raw mut len) };
        // Kernel: net/ipv4/tcp.c, tcp_get_info tells a listener's backlog in this field.
        assert_eq!((outcome, info.tcpi_sacked), (0, backlog));
    }
}

#[test]
fn acknowledging_at_once_is_set_and_set_again_after_the_kernel_forgot() {
    use std::io::{Read, Write};
    let (mut accepted, mut peer) = accept(listener(|_| {}));
    for _ in 0..5 {
        // Answers go out behind requests: the kernel takes it for a conversation.
        peer.write_all(b"ask").unwrap();
        accepted.read_exact(&mut [0; 3]).unwrap();
        accepted.write_all(b"say").unwrap();
        peer.read_exact(&mut [0; 3]).unwrap();
    }
    assert_eq!(option(accepted.as_fd(), QUICKACK), 0);
    acknowledge(accepted.as_fd());
    assert_eq!(option(accepted.as_fd(), QUICKACK), 1);
}

/// A call that a signal interrupts twice, and that then ends in `last`.
fn interrupted(last: Result<isize, i32>) -> io::Result<usize> {
    let mut outcomes = [Err(libc::EINTR), Err(libc::EINTR), last].into_iter();
    count_moved(|| match outcomes.next().expect("it was over") {
        Ok(moved) => moved,
        Err(code) => {
            // SAFETY: the place is this thread's own.
            unsafe { *libc::__errno_location() = code };
            -1
        }
    })
}

#[test]
fn what_a_signal_interrupts_is_done_again_and_nothing_else_is() {
    assert_eq!(interrupted(Ok(0)).unwrap(), 0);
    assert_eq!(interrupted(Ok(7)).unwrap(), 7);
    for code in [libc::EAGAIN, libc::ECONNRESET] {
        assert_eq!(interrupted(Err(code)).unwrap_err().raw_os_error(), Some(code));
    }
}
