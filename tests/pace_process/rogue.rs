//! A server that does to its clients what the tests tell it to: one thread accepts, one thread per
//! connection misbehaves. Loopback, a port that the kernel chooses; nothing sleeps.
//!
//! A connection's thread ends when its client is gone, so a test that ends its client ends all. It
//! counts how many answers it has sent, which no client may exceed in successes. Start at
//! [`Rogue::start`].

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What is done on each connection.
#[derive(Clone, Copy)]
pub(super) enum Behaviour {
    /// These bytes for every request.
    Says(&'static [u8]),
    /// These bytes for the first request, then FIN.
    SaysAndCloses(&'static [u8]),
    /// The connection ends when it returns.
    Does(fn(&mut Peer) -> io::Result<()>),
    /// Good answers until there were so many, then neither listener nor connections; back after
    /// the span, if one is given.
    VanishesAfter(u64, Option<Duration>),
    /// Nothing: the kernel makes connections, and nobody looks at them.
    NeverAccepts,
    /// Not even that: the backlog is full, so no handshake ends.
    BacklogFull,
}

/// The answer that every test takes for a good one.
pub(super) const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A running server.
pub(super) struct Rogue {
    shared: Arc<Shared>,
    /// What nobody accepts from, and what fills its backlog.
    _backlog: Option<(TcpListener, Vec<TcpStream>)>,
}

struct Shared {
    address: SocketAddr,
    behaviour: Behaviour,
    /// Answers sent, or at least begun.
    answered: AtomicU64,
    connections: AtomicU64,
    is_over: AtomicBool,
    is_vanishing: AtomicBool,
    /// Open connections, for those who vanish.
    streams: Mutex<Vec<TcpStream>>,
    /// Nobody ever signals it: its timed wait is a pause.
    pause: (Mutex<()>, Condvar),
}

impl Rogue {
    pub(super) fn start(behaviour: Behaviour) -> Rogue {
        let listener = match behaviour {
            Behaviour::BacklogFull => listen_without_backlog(),
            _ => TcpListener::bind("127.0.0.1:0").expect("loopback has free ports"),
        };
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("it is bound"),
            behaviour,
            answered: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            is_vanishing: AtomicBool::new(false),
            streams: Mutex::default(),
            pause: Default::default(),
        });
        if let Behaviour::NeverAccepts | Behaviour::BacklogFull = behaviour {
            let fill = match behaviour {
                Behaviour::BacklogFull => fill_backlog(shared.address),
                _ => Vec::new(),
            };
            return Rogue { shared, _backlog: Some((listener, fill)) };
        }
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&of_thread, listener));
        Rogue { shared, _backlog: None }
    }

    /// An address that nobody listens on.
    pub(super) fn start_nowhere() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        listener.local_addr().expect("it is bound")
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.shared.address
    }

    pub(super) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::SeqCst)
    }
}

fn listen_without_backlog() -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
        .expect("there are sockets");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).expect("loopback has free ports");
    socket.listen(0).expect("it is bound");
    socket.into()
}

/// Connects until no handshake ends any more.
fn fill_backlog(address: SocketAddr) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    (0..16).map_while(connect).collect()
}

impl Drop for Rogue {
    fn drop(&mut self) {
        if self._backlog.is_some() {
            return;
        }
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.wake();
    }
}

impl Shared {
    /// Lets `accept` return.
    fn wake(&self) {
        let _ = TcpStream::connect(self.address);
    }

    fn pause(&self, span: Duration) {
        let guard = self.pause.0.lock().expect("nobody panics with it");
        let _ = self.pause.1.wait_timeout(guard, span).expect("nobody panics with it");
    }
}

fn accept(shared: &Arc<Shared>, listener: TcpListener) {
    let mut listener = listener;
    while let Ok((stream, _)) = listener.accept() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        if shared.is_vanishing.swap(false, Ordering::SeqCst) {
            drop((listener, stream));
            match vanish(shared) {
                Some(again) => listener = again,
                None => return,
            }
            continue;
        }
        if let Ok(copy) = stream.try_clone() {
            shared.streams.lock().expect("nobody panics with it").push(copy);
        }
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        let peer = Peer { stream, unread: Vec::new(), number, shared };
        thread::spawn(move || serve(peer));
    }
}

/// Ends every connection; a new listener on the same port after the span, if it is to come back.
fn vanish(shared: &Shared) -> Option<TcpListener> {
    for stream in shared.streams.lock().expect("nobody panics with it").drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
    let Behaviour::VanishesAfter(_, Some(span)) = shared.behaviour else { return None };
    shared.pause(span);
    TcpListener::bind(shared.address).ok()
}

/// A connection to the client.
pub(super) struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
    /// How many connections there were before it.
    pub(super) number: u64,
    shared: Arc<Shared>,
}

/// Errors are the client's going away, which ends the thread as it should.
fn serve(mut peer: Peer) {
    let _ = match peer.shared.behaviour {
        Behaviour::Says(bytes) => peer.for_each(|peer| peer.answer(bytes)),
        Behaviour::SaysAndCloses(bytes) => match peer.request() {
            Ok(true) => peer.answer(bytes),
            other => other.map(|_| ()),
        },
        Behaviour::Does(behave) => behave(&mut peer),
        Behaviour::VanishesAfter(after, _) => peer.for_each(|peer| {
            // The count itself tells the one thread that reaches it.
            if peer.shared.answered.fetch_add(1, Ordering::SeqCst) + 1 == after {
                peer.shared.is_vanishing.store(true, Ordering::SeqCst);
                peer.shared.wake();
            }
            peer.send(GOOD)
        }),
        Behaviour::NeverAccepts | Behaviour::BacklogFull => Ok(()),
    };
    // The copy for those who vanish holds the connection open.
    if let Ok(own) = peer.stream.peer_addr() {
        let mut streams = peer.shared.streams.lock().expect("nobody panics with it");
        streams.retain(|stream| stream.peer_addr().ok() != Some(own));
    }
}

impl Peer {
    /// Reads a request with its content; false at the client's end.
    pub(super) fn request(&mut self) -> io::Result<bool> {
        Ok(self.request_text()?.is_some())
    }

    fn request_text(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(len) = request_len(&self.unread) {
                let bytes: Vec<u8> = self.unread.drain(..len).collect();
                return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
            }
            if !self.read_some()? {
                return Ok(None);
            }
        }
    }

    /// Reads the head of a request, and of its content what came along.
    pub(super) fn request_head(&mut self) -> io::Result<bool> {
        while !self.unread.windows(4).any(|window| window == b"\r\n\r\n") {
            if !self.read_some()? {
                return Ok(false);
            }
        }
        self.unread.clear();
        Ok(true)
    }

    fn read_some(&mut self) -> io::Result<bool> {
        let mut buf = [0; 4096];
        let count = self.stream.read(&mut buf)?;
        self.unread.extend_from_slice(&buf[..count]);
        Ok(count > 0)
    }

    /// Does the same for every request.
    pub(super) fn for_each(
        &mut self,
        mut act: impl FnMut(&mut Peer) -> io::Result<()>,
    ) -> io::Result<()> {
        while self.request()? {
            act(self)?;
        }
        Ok(())
    }

    /// Does something about every request, which is given.
    pub(super) fn for_each_text(
        &mut self,
        mut act: impl FnMut(&mut Peer, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(text) = self.request_text()? {
            act(self, &text)?;
        }
        Ok(())
    }

    /// Sends what may be taken for an answer.
    pub(super) fn answer(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.shared.answered.fetch_add(1, Ordering::SeqCst);
        self.send(bytes)
    }

    /// Sends what is no answer.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends the same until the client is gone.
    pub(super) fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.send(bytes)?;
        }
    }

    /// Sends one byte, and the next after the span.
    pub(super) fn drip(&mut self, bytes: &[u8], span: Duration) -> io::Result<()> {
        for byte in bytes {
            self.send(std::slice::from_ref(byte))?;
            self.pause(span);
        }
        Ok(())
    }

    pub(super) fn pause(&self, span: Duration) {
        self.shared.pause(span);
    }

    /// Keeps the connection, deaf and dumb, until the client closes it or is gone.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        while self.read_some()? {
            self.unread.clear();
        }
        Ok(())
    }

    /// Keeps the connection without reading.
    pub(super) fn hold_unread(&mut self, span: Duration) {
        self.pause(span);
    }

    /// Lets the end of the connection be a RST.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }

    /// Sends FIN and goes on reading.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

/// The length of the request that `bytes` start with, once it is whole.
fn request_len(bytes: &[u8]) -> Option<usize> {
    let head = 4 + bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let content = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    (bytes.len() >= head + content).then_some(head + content)
}
