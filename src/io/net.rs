//! Sockets and wake-ups: what both drivers need of the kernel besides their own event interface.

use crate::spare::SpareBuffers;
use crate::units::Nanos;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

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
    pub(super) fn quickack(&self) -> bool {
        self.quickack
    }

    /// Refuses peers from now on, however long the kernel holds the socket open for somebody.
    pub(super) fn refuse_peers(&self) {
        // One that does not listen any more refuses them already.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
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
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
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

/// A level and an option's name, both for setsockopt(2).
pub(super) type OptionName = (libc::c_int, libc::c_int);

const BUSY_POLL: OptionName = (libc::SOL_SOCKET, libc::SO_BUSY_POLL);
const INCOMING_CPU: OptionName = (libc::SOL_SOCKET, libc::SO_INCOMING_CPU);
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

/// Where a client connects to. Small and `Copy`, so that every worker holds its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Ip(SocketAddr),
    /// A socket of the file system (unix(7)).
    Unix(SocketPath),
}

/// The path of a Unix socket, kept in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketPath {
    bytes: [u8; SOCKET_PATH_BYTES_MAX],
    len: u8,
}

/// Kernel: `sun_path` has 108 bytes, of which the last is a NUL (unix(7)).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

impl SocketPath {
    /// The path, or a sentence if it is empty, too long or holds a NUL.
    pub fn new(path: &Path) -> Result<SocketPath, String> {
        let typed = path.as_os_str().as_bytes();
        if typed.is_empty() || typed.len() > SOCKET_PATH_BYTES_MAX || typed.contains(&0) {
            return Err(format!(
                "`{}` is no path of a socket; it has 1 to {SOCKET_PATH_BYTES_MAX} bytes",
                path.display()
            ));
        }
        let mut bytes = [0; SOCKET_PATH_BYTES_MAX];
        bytes[..typed.len()].copy_from_slice(typed);
        Ok(SocketPath { bytes, len: typed.len() as u8 })
    }

    fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes[..usize::from(self.len)]))
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

impl Address {
    /// As the kernel takes it.
    pub(super) fn to_sockaddr(self) -> SockAddr {
        match self {
            Address::Ip(address) => address.into(),
            Address::Unix(path) => {
                SockAddr::unix(path.path()).expect("`SocketPath::new` has checked its length")
            }
        }
    }
}

/// A socket to connect to `to` with; completion is reported by writability, or by io_uring.
pub(super) fn client_socket(to: Address, nonblocking: bool) -> io::Result<Socket> {
    let socket = match to {
        Address::Ip(to) => Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?,
        Address::Unix(_) => Socket::new(Domain::UNIX, Type::STREAM, None)?,
    };
    socket.set_nonblocking(nonblocking)?;
    if let Address::Ip(_) = to {
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}

/// Ends the sleep of one driver, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Waker {
    event: Arc<OwnedFd>,
    /// The driver's ring, if it has one that takes messages (MSG_RING). A descriptor of its own: it
    /// names that ring, and no other, however long the waker lives.
    ring: Option<Arc<OwnedFd>>,
}

impl Waker {
    /// A waker behind an eventfd (Linux 2.6.22).
    pub(crate) fn new() -> io::Result<Waker> {
        // SAFETY: takes no pointers; the descriptor it returns is new and ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just made and nobody else owns it.
        let event = Arc::new(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(Waker { event, ring: None })
    }

    /// The same, which can also be reached by messages to `ring`.
    pub(super) fn with_ring(self, ring: BorrowedFd<'_>) -> io::Result<Waker> {
        Ok(Waker { ring: Some(Arc::new(ring.try_clone_to_owned()?)), ..self })
    }

    /// The ring to send a message to.
    pub(super) fn ring(&self) -> Option<BorrowedFd<'_>> {
        self.ring.as_ref().map(|ring| ring.as_fd())
    }

    /// Whether both wake the same driver.
    pub(super) fn is(&self, other: &Waker) -> bool {
        Arc::ptr_eq(&self.event, &other.event)
    }

    /// Makes the driver's present or next turn end with [`super::Event::Woken`]. Several calls may
    /// become one event.
    pub fn wake(&self) {
        let one = 1u64;
        // SAFETY: the kernel reads the 8 bytes of `one` during the call.
        let written = unsafe { libc::write(self.event.as_raw_fd(), (&raw const one).cast(), 8) };
        // A full counter (EAGAIN) means that 2^64 - 2 wakes are owed: the driver will wake up.
        debug_assert!(
            written == 8 || io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
        );
    }

    /// Takes the wakes that are owed; whether there were any.
    pub(crate) fn drain(&self) -> bool {
        let mut count = 0u64;
        // SAFETY: the kernel writes at most the 8 bytes of `count` during the call.
        unsafe { libc::read(self.event.as_raw_fd(), (&raw mut count).cast(), 8) == 8 }
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// How many bytes a system call moved, where a negative number is an error. One that a signal
/// interrupted has moved none and is made again: taken for "not now" it would wait for an edge that
/// was there already.
#[inline]
pub(super) fn count_moved(mut call: impl FnMut() -> isize) -> io::Result<usize> {
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
pub(super) fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads `bytes` during the call only.
    count_moved(|| unsafe { libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) })
}

/// Receives without blocking into `buffer`; 0 is the peer's FIN.
pub(super) fn receive_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT;
    let (into, len) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the kernel writes at most `len` bytes into `buffer`, during the call only.
    count_moved(|| unsafe { libc::recv(fd.as_raw_fd(), into, len, flags) })
}

/// Tells the peer that nothing more will be sent. A connection that is gone already needs no telling.
pub(super) fn shutdown_write(fd: BorrowedFd<'_>) {
    // SAFETY: takes no pointers.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) };
}

/// The address of a connected socket's peer; none once the connection is broken.
pub(super) fn peer_of(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    socket2::SockRef::from(&fd).peer_addr().ok()?.as_socket()
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
