//! Sockets and wake-ups: what both drivers need of the kernel besides their own event interface.
//!
//! `listener`, `address` and `waker` each hold one kind of thing; here are the calls on a socket that
//! is open, and what their errors mean.

mod address;
mod listener;
mod waker;

use crate::spare::SpareBuffers;
use socket2::{SockFilter, SockRef};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

pub(super) use address::client_socket;
pub use address::{Address, SOCKET_PATH_BYTES_MAX, SocketPath};
pub use listener::{Listener, SocketSettings, check_port_is_free};
pub use waker::Waker;

/// A level and an option's name, both for setsockopt(2).
pub(super) type OptionName = (libc::c_int, libc::c_int);

const QUICKACK: OptionName = (libc::IPPROTO_TCP, libc::TCP_QUICKACK);

/// Sets an option whose value is an int.
pub(super) fn set_option(
    fd: BorrowedFd<'_>,
    (level, name): OptionName,
    value: i32,
) -> io::Result<()> {
    let value = (&raw const value).cast();
    // SAFETY: the kernel reads the 4 bytes of `value` during the call.
    match unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, 4) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Acknowledges what was received at once; the kernel forgets that when the next answer goes out. A
/// connection that is gone needs no acknowledging.
pub(super) fn acknowledge(fd: BorrowedFd<'_>) {
    let _ = set_option(fd, QUICKACK, 1);
}

/// Lets no further handshake begin at a listening socket: what the kernel is asked for by a SYN is
/// dropped, and a peer who sends it again, after a second, finds nobody listening. Who was through his
/// handshake waits to be accepted as before, and one that has begun can end. A socket that was closed
/// at once would break all of these off by a reset, and so would shutdown(2).
pub(crate) fn refuse_handshakes(listener: BorrowedFd<'_>) {
    // Refused, the close comes as a surprise to a few: it is what they would have had anyway.
    let _ = SockRef::from(&listener).attach_filter(&NO_SYN);
}

/// A filter of a TCP socket (SO_ATTACH_FILTER, socket(7)) sees each segment from its header on.
/// Kernel: include/uapi/linux/bpf_common.h for the codes; RFC 9293 3.1 for the flags, in octet 13.
const NO_SYN: [SockFilter; 5] = [
    SockFilter::new(LOAD_OCTET, 0, 0, 13),
    SockFilter::new(AND, 0, 0, 0b0001_0010), // ACK, SYN
    SockFilter::new(JUMP_IF_EQUAL, 0, 1, 0b0000_0010),
    SockFilter::new(RETURN, 0, 0, 0),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
];
const LOAD_OCTET: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Accepts one connection; `nonblocking` is what it is to be. The listener must not block.
pub(super) fn accept_now(listener: BorrowedFd<'_>, nonblocking: bool) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: no address is asked for; takes no other pointers.
    let fd = unsafe {
        libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Accepts everybody who waits, as far as descriptors suffice; else as [`accept_now`].
pub(crate) fn accept_all(
    listener: BorrowedFd<'_>,
    nonblocking: bool,
    mut take: impl FnMut(OwnedFd),
) {
    // One that blocks would wait for the next of them.
    if SockRef::from(&listener).set_nonblocking(true).is_err() {
        return;
    }
    for _ in 0..WAITING_MAX {
        match accept_now(listener, nonblocking) {
            Ok(fd) => take(fd),
            Err(error) if is_out_of_resources(&error) => return,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINVAL)) => {
                return;
            }
            // Of one of them, who gave up while he waited; see accept(2).
            Err(_) => {}
        }
    }
}

/// Chosen: twice what a queue holds where nobody has raised net.core.somaxconn.
const WAITING_MAX: u32 = 8192;

/// How many bytes a system call moved, where a negative number is an error. One that a signal
/// interrupted has moved none and is made again: taken for "not now" it would wait for an edge that
/// was there already.
#[inline]
pub(super) fn count_moved<N>(mut call: impl FnMut() -> N) -> io::Result<usize>
where
    usize: TryFrom<N>,
{
    loop {
        match usize::try_from(call()) {
            Ok(moved) => return Ok(moved),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// Sends without blocking and without SIGPIPE; how many bytes the kernel took.
///
/// As [`receive_now`] by the bare system call: the C library's function is a point at which a thread may
/// be cancelled. Nobody cancels ours, and where there are several that costs some 40 instructions.
pub(super) fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let (from, len, nobody) = (bytes.as_ptr(), bytes.len(), ptr::null::<libc::sockaddr>());
    // SAFETY: the kernel reads `bytes` during the call only, and no address where there is none.
    count_moved(|| unsafe {
        libc::syscall(libc::SYS_sendto, fd.as_raw_fd(), from, len, flags, nobody, 0)
    })
}

/// Receives without blocking into `buffer`; 0 is the peer's FIN.
pub(super) fn receive_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT;
    let (into, len) = (buffer.as_mut_ptr(), buffer.len());
    let (nobody, unasked) = (ptr::null_mut::<libc::sockaddr>(), ptr::null_mut::<libc::socklen_t>());
    // SAFETY: the kernel writes at most `len` bytes into `buffer`, during the call only, and no address
    // where there is no room for one.
    count_moved(|| unsafe {
        libc::syscall(libc::SYS_recvfrom, fd.as_raw_fd(), into, len, flags, nobody, unasked)
    })
}

/// Tells the peer that nothing more will be sent. A connection that is gone already needs no telling.
pub(super) fn shutdown_write(fd: BorrowedFd<'_>) {
    // SAFETY: takes no pointers.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) };
}

/// The address of a connected socket's peer; none once the connection is broken.
pub(super) fn peer_of(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    SockRef::from(&fd).peer_addr().ok()?.as_socket()
}

/// Whether an accept failed because this process or system has no more descriptors or memory: it
/// pays to wait, and not to try again at once.
pub fn is_out_of_resources(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Whether trying again may succeed, on a runtime that does not try by itself: there is nothing yet, or
/// a signal came between.
pub(crate) fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What a driver keeps of the buffers that it has sent.
pub(crate) fn spare_buffers() -> SpareBuffers {
    SpareBuffers::new(SPARE_BUFFERS_MAX, SPARE_BUF_BYTES_MAX)
}

/// Chosen: as many as one turn's events; the rest goes back to the allocator.
const SPARE_BUFFERS_MAX: usize = 1024;
/// Chosen: a buffer that one huge answer blew up is not kept.
const SPARE_BUF_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
