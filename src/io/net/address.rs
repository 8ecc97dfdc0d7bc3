//! Where a client connects to, over TCP or a socket of the file system.

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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
    pub(in crate::io) fn to_sockaddr(self) -> SockAddr {
        match self {
            Address::Ip(address) => address.into(),
            Address::Unix(path) => {
                SockAddr::unix(path.path()).expect("`SocketPath::new` has checked its length")
            }
        }
    }
}

/// A socket to connect to `to` with; completion is reported by writability, or by io_uring.
pub(in crate::io) fn client_socket(to: Address, nonblocking: bool) -> io::Result<Socket> {
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
