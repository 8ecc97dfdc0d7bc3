//! Listening: the socket, what is set about it and what those accepted from it inherit.
//!
//! Not here: accepting; see the drivers. Start at [`Listener::bind`].

use super::{OptionName, set_option};
use crate::units::Nanos;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// A listening TCP socket, and what those accepted from it need.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    quickack: bool,
    notes: Vec<String>,
}

/// What can be set about a listening socket and the sockets accepted from it; see socket(7), tcp(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// Connections that may wait to be accepted; the kernel caps it (net.core.somaxconn).
    pub backlog: u32,
    /// TCP_NODELAY: answers go out at once instead of waiting for company. Inherited.
    pub nodelay: bool,
    /// TCP_QUICKACK: acknowledge at once instead of with the answer. The kernel forgets it when an
    /// answer goes out, so drivers set it after each receive: one system call more.
    pub quickack: bool,
    /// SO_BUSY_POLL: poll the network device for so long, in whole microseconds, in a receive that
    /// finds nothing. Inherited. No effect on loopback.
    pub busy_poll: Option<Nanos>,
    /// SO_INCOMING_CPU: of the listeners of an address, prefer the one on the CPU that the connection's
    /// packets arrive on (Linux 6.2 for several per address).
    pub incoming_cpu: bool,
}

impl Default for SocketSettings {
    /// The kernel's own, but for TCP_NODELAY. Chosen: a backlog as large as somaxconn is by default.
    fn default() -> SocketSettings {
        SocketSettings {
            backlog: 4096,
            nodelay: true,
            quickack: false,
            busy_poll: None,
            incoming_cpu: false,
        }
    }
}

impl Listener {
    /// Binds and listens. Several listeners may share an address, as all ask for SO_REUSEPORT: the
    /// kernel spreads connections over them by a hash of their addresses, or, if the settings ask for
    /// that, by `cpu`, where the listener's thread runs.
    ///
    /// # Errors
    /// The error of the call that failed, with a sentence of what to do about a port in use.
    pub fn bind(
        address: SocketAddr,
        settings: &SocketSettings,
        cpu: Option<usize>,
    ) -> io::Result<Listener> {
        let mut notes = Vec::new();
        let mut attempt = || -> io::Result<Socket> {
            let domain = Domain::for_address(address);
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(true)?;
            settings.apply(&socket, cpu, &mut notes)?;
            socket.bind(&address.into())?;
            socket.listen(i32::try_from(settings.backlog).unwrap_or(i32::MAX))?;
            Ok(socket)
        };
        match attempt() {
            Ok(socket) => Ok(Listener { socket, quickack: settings.quickack, notes }),
            Err(error) => Err(explain_bind(error, address)),
        }
    }

    /// What the kernel refused to set, one sentence each, for the results.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether accepted sockets are to acknowledge at once: see [`SocketSettings::quickack`].
    pub(in crate::io) fn quickack(&self) -> bool {
        self.quickack
    }

    /// The address it listens on; tells the port where 0 was asked for.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let address = self.socket.local_addr()?;
        address.as_socket().ok_or_else(|| io::Error::other("the listener is not an IP socket"))
    }

    /// The same socket for an event loop that is not ours.
    pub fn into_std(self) -> std::net::TcpListener {
        self.socket.into()
    }

    /// Makes `accept` return at once when nobody waits; for the driver that polls.
    pub(in crate::io) fn set_nonblocking(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl SocketSettings {
    /// Sets what accepted sockets inherit, and what the listener is chosen by.
    fn apply(
        &self,
        socket: &Socket,
        cpu: Option<usize>,
        notes: &mut Vec<String>,
    ) -> io::Result<()> {
        socket.set_tcp_nodelay(self.nodelay)?;
        if let Some(span) = self.busy_poll {
            let micros = i32::try_from(span.0.div_ceil(1_000)).unwrap_or(i32::MAX);
            if let Err(error) = set_option(socket.as_fd(), BUSY_POLL, micros) {
                notes.push(format!(
                    "--busy-poll: the kernel refused SO_BUSY_POLL: {error}; it needs CAP_NET_ADMIN"
                ));
            }
        }
        if let Some(cpu) = cpu.filter(|_| self.incoming_cpu) {
            let cpu = i32::try_from(cpu).unwrap_or(i32::MAX);
            if let Err(error) = set_option(socket.as_fd(), INCOMING_CPU, cpu) {
                notes.push(format!("--incoming-cpu: the kernel refused SO_INCOMING_CPU: {error}"));
            }
        }
        Ok(())
    }
}

pub(super) const BUSY_POLL: OptionName = (libc::SOL_SOCKET, libc::SO_BUSY_POLL);
pub(super) const INCOMING_CPU: OptionName = (libc::SOL_SOCKET, libc::SO_INCOMING_CPU);

/// An error of bind, with what to do about it.
fn explain_bind(error: io::Error, address: SocketAddr) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process has that port; end it, or choose another with --listen"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; see `ip addr`",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one"
        }
        _ => "see --listen",
    };
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}; {advice}"))
}

/// Whether somebody listens on `address` already. SO_REUSEPORT would let two servers of one user share
/// a port without a word, and each would get half of the load.
pub fn check_port_is_free(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    let attempt = || -> io::Result<()> {
        let probe = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        probe.set_reuse_address(true)?;
        probe.bind(&address.into())
    };
    attempt().map_err(|error| explain_bind(error, address))
}
