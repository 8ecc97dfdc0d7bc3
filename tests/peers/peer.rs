//! The servers that are held to the table, each up three times as the suite's targets want it.
//!
//! Not here: setting them up; a peer that is not says so on stderr. Start at [`Peer::asked_for`].

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::cases::Target;
use crate::support::{PATIENCE, Server, Stopwatch};

/// A server under the table.
pub(crate) struct Peer {
    pub(crate) name: String,
    quiet: Instance,
    busy: Instance,
    bare: Instance,
}

/// One process, or nginx and what stands behind it.
struct Instance {
    addr: SocketAddr,
    _origin: Server,
    _front: Option<Nginx>,
}

impl Peer {
    /// Those that `RINGPACE_PEERS` names; ours if it names none.
    pub(crate) fn asked_for() -> Vec<Peer> {
        let names = std::env::var("RINGPACE_PEERS").unwrap_or_else(|_| "ours".into());
        names.split(',').map(|name| Peer::start(name.trim())).collect()
    }

    pub(crate) fn ours() -> Peer {
        Peer::start("ours")
    }

    fn start(name: &str) -> Peer {
        let echo = &["--echo"][..];
        Peer {
            name: name.to_owned(),
            quiet: Instance::start(name, echo),
            busy: Instance::start(name, echo),
            bare: Instance::start(name, &[]),
        }
    }

    /// Whether it answers the API itself, and not in front of ours.
    pub(crate) fn has_own_api(&self) -> bool {
        self.name != "nginx"
    }

    pub(crate) fn addr(&self, target: Target) -> SocketAddr {
        match target {
            Target::Quiet | Target::Impatient => self.quiet.addr,
            Target::Busy => self.busy.addr,
            Target::Bare => self.bare.addr,
        }
    }
}

impl Instance {
    fn start(name: &str, flags: &[&str]) -> Instance {
        let ours = || Server::start(&[&["--poll-timeout", "50ms"], flags].concat());
        match name {
            "ours" => Instance::of(ours()),
            "nginx" => {
                let origin = ours();
                let front = Nginx::start(origin.addr);
                Instance { addr: front.addr, _origin: origin, _front: Some(front) }
            }
            peer => {
                let run = format!("{}/tools/peers/{peer}/run", env!("CARGO_MANIFEST_DIR"));
                let mut command = Command::new(run);
                command.args(["--port", "0", "--poll-timeout-ms", "50"]).args(flags);
                Instance::of(Server::spawn(command))
            }
        }
    }

    fn of(server: Server) -> Instance {
        Instance { addr: server.addr, _origin: server, _front: None }
    }
}

/// nginx as a reverse proxy, with its defaults but for what would hide a difference.
///
/// What it lets through meets our parser; a 400 that leaves the connection open is ours.
struct Nginx {
    child: Child,
    dir: PathBuf,
    addr: SocketAddr,
}

impl Nginx {
    fn start(origin: SocketAddr) -> Nginx {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let addr = free.expect("the loopback has free ports");
        let dir = std::env::temp_dir().join(format!("ringpace-nginx-{}", addr.port()));
        fs::create_dir_all(&dir).expect("the temporary directory is writable");
        fs::write(dir.join("nginx.conf"), configuration(&dir, addr, origin)).expect("as above");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&dir).arg("-c").arg(dir.join("nginx.conf")).stderr(Stdio::null());
        let child = command.spawn().expect("nginx is installed (Debian: nginx-light)");
        let nginx = Nginx { child, dir, addr };
        let waited = Stopwatch::start();
        while TcpStream::connect(addr).is_err() {
            assert!(waited.elapsed() < PATIENCE, "nginx does not listen on {addr}");
            thread::yield_now();
        }
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn configuration(dir: &Path, addr: SocketAddr, origin: SocketAddr) -> String {
    let dir = dir.display();
    format!(
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log /dev/null crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_max_body_size 64k; server_tokens off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    upstream origin {{ server {origin}; keepalive 16; }}
    server {{
        listen {addr};
        location / {{
            proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';
        }}
    }}
}}
"
    )
}
