//! One `recv` and one `send` per edge, which is all that epoll asks for.

use crate::{RECV_BUF_BYTES, Sizes, checked, set_nodelay};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

const EVENTS_MAX: usize = 1_024;

pub(crate) fn serve(listener: &TcpListener, sizes: &Sizes) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    // SAFETY: takes no pointers.
    let poller = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    watch(poller, listener.as_raw_fd(), libc::EPOLLIN)?;
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
    let mut buffer = vec![0; RECV_BUF_BYTES];
    // By descriptor: octets of a request whose end has not come.
    let mut pending: Vec<usize> = Vec::new();
    loop {
        // SAFETY: the kernel writes at most EVENTS_MAX entries, which `events` has.
        let count = checked(unsafe {
            libc::epoll_wait(poller, events.as_mut_ptr(), EVENTS_MAX as i32, -1)
        })?;
        for event in &events[..count as usize] {
            let fd = event.u64 as i32;
            if fd == listener.as_raw_fd() {
                accept(poller, fd, &mut pending)?;
            } else {
                answer(fd, &mut buffer, &mut pending[fd as usize], sizes)?;
            }
        }
    }
}

fn watch(poller: i32, fd: i32, interest: i32) -> io::Result<()> {
    let mut event = libc::epoll_event { events: interest as u32, u64: fd as u64 };
    // SAFETY: the kernel reads `event` during the call.
    checked(unsafe { libc::epoll_ctl(poller, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
}

fn accept(poller: i32, listener: i32, pending: &mut Vec<usize>) -> io::Result<()> {
    // SAFETY: no address is asked for.
    let fd = checked(unsafe {
        libc::accept4(
            listener,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
        )
    })?;
    set_nodelay(fd)?;
    pending.resize(pending.len().max(fd as usize + 1), 0);
    pending[fd as usize] = 0;
    watch(poller, fd, libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET)
}

fn answer(fd: i32, buffer: &mut [u8], pending: &mut usize, sizes: &Sizes) -> io::Result<()> {
    loop {
        // SAFETY: the kernel writes at most as many octets as `buffer` has.
        let received = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if received <= 0 {
            // The peer has gone, or has sent nothing more.
            if received == 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock {
                // SAFETY: `fd` is ours, and not used again until the kernel gives it anew.
                unsafe { libc::close(fd) };
            }
            return Ok(());
        }
        let count = sizes.requests(pending, received as usize);
        if count > 0 {
            let answers = sizes.answers(count);
            // SAFETY: the kernel reads `answers` during the call.
            let sent = unsafe {
                libc::send(fd, answers.as_ptr().cast(), answers.len(), libc::MSG_NOSIGNAL)
            };
            if sent >= 0 && sent as usize != answers.len() {
                return Err(io::Error::other("the client does not read"));
            }
        }
        if (received as usize) < buffer.len() {
            return Ok(());
        }
    }
}
