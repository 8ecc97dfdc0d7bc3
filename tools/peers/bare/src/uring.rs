//! Multishot accept and receive, provided buffers, sends by SQE, one enter for all of a turn.
//!
//! The ring is set up as ringpace's is: SINGLE_ISSUER, DEFER_TASKRUN, NO_IOWAIT, and its descriptor
//! registered.

use crate::{RECV_BUF_BYTES, Sizes, checked, set_nodelay};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

const SQ_ENTRIES: u32 = 1_024;
const BUFFERS: u16 = 1_024;
const GROUP: u16 = 0;

/// In the upper half of a cookie; the lower is the descriptor.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;

// Kernel: include/uapi/linux/io_uring.h.
const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const ENTER_NO_IOWAIT: u32 = 1 << 7;
const REGISTER_RING_FDS: libc::c_uint = 20;

/// `struct io_uring_rsrc_update`.
#[repr(C)]
struct RsrcUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

#[derive(Clone, Copy, Default)]
struct Connection {
    /// Octets of a request whose end has not come.
    pending: usize,
    /// Answers that wait for the send under way.
    owed: usize,
    sending: bool,
}

struct Bare<'a> {
    ring: IoUring,
    enter_fd: i32,
    enter_flags: u32,
    buffers: Buffers,
    /// By descriptor.
    connections: Vec<Connection>,
    listener: i32,
    sizes: &'a Sizes,
}

pub(crate) fn serve(listener: &TcpListener, sizes: &Sizes) -> io::Result<()> {
    let ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(4 * SQ_ENTRIES)
        .build(SQ_ENTRIES)?;
    let buffers = Buffers::register(&ring)?;
    let (mut enter_fd, mut enter_flags) = (ring.as_raw_fd(), ENTER_GETEVENTS);
    if ring.params().is_feature_no_iowait() {
        enter_flags |= ENTER_NO_IOWAIT;
    }
    if let Ok(index) = register_descriptor(enter_fd) {
        enter_fd = index;
        enter_flags |= ENTER_REGISTERED_RING;
    }
    let listener = listener.as_raw_fd();
    let connections = Vec::new();
    let mut bare = Bare { ring, enter_fd, enter_flags, buffers, connections, listener, sizes };
    bare.accept()?;
    loop {
        bare.turn()?;
    }
}

fn register_descriptor(fd: i32) -> io::Result<i32> {
    let mut update = RsrcUpdate { offset: u32::MAX, reserved: 0, data: fd as u64 };
    // SAFETY: the kernel reads and writes `update` during the call only.
    checked(unsafe {
        libc::syscall(libc::SYS_io_uring_register, fd, REGISTER_RING_FDS, &raw mut update, 1) as i32
    })?;
    Ok(update.offset as i32)
}

impl Bare<'_> {
    fn turn(&mut self) -> io::Result<()> {
        self.enter(1)?;
        // As many as have come: what they queue is submitted by the next enter.
        loop {
            let Some(cqe) = self.ring.completion().next() else { break };
            self.complete(&cqe)?;
        }
        self.buffers.publish();
        Ok(())
    }

    fn enter(&mut self, completions: u32) -> io::Result<()> {
        let queued = {
            let mut queue = self.ring.submission();
            queue.sync();
            queue.len() as u32
        };
        // SAFETY: the kernel takes no pointers.
        let entered = checked(unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.enter_fd,
                queued,
                completions,
                self.enter_flags,
                std::ptr::null::<libc::c_void>(),
                0usize,
            ) as i32
        });
        match entered {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn push(&mut self, entry: squeue::Entry, op: u64, fd: i32) -> io::Result<()> {
        let entry = entry.user_data(op << 32 | fd as u64);
        if self.ring.submission().is_full() {
            self.enter(0)?;
        }
        // SAFETY: what the entries name lives as long as the process: `sizes` and the buffers.
        unsafe { self.ring.submission().push(&entry) }.map_err(io::Error::other)
    }

    fn accept(&mut self) -> io::Result<()> {
        let entry = opcode::AcceptMulti::new(types::Fd(self.listener)).build();
        self.push(entry, ACCEPT, self.listener)
    }

    fn receive(&mut self, fd: i32) -> io::Result<()> {
        self.push(opcode::RecvMulti::new(types::Fd(fd), GROUP).build(), RECEIVE, fd)
    }

    fn send(&mut self, fd: i32) -> io::Result<()> {
        let connection = &mut self.connections[fd as usize];
        if connection.sending || connection.owed == 0 {
            return Ok(());
        }
        connection.sending = true;
        let answers = self.sizes.answers(std::mem::take(&mut connection.owed));
        let entry = opcode::Send::new(types::Fd(fd), answers.as_ptr(), answers.len() as u32)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build();
        self.push(entry, SEND, fd)
    }

    fn complete(&mut self, cqe: &cqueue::Entry) -> io::Result<()> {
        let (op, fd) = (cqe.user_data() >> 32, cqe.user_data() as u32 as i32);
        match op {
            ACCEPT => {
                let fd = cqe.result();
                if fd >= 0 {
                    set_nodelay(fd)?;
                    let count = self.connections.len().max(fd as usize + 1);
                    self.connections.resize(count, Connection::default());
                    self.connections[fd as usize] = Connection::default();
                    self.receive(fd)?;
                }
                if cqueue::more(cqe.flags()) { Ok(()) } else { self.accept() }
            }
            RECEIVE => self.complete_receive(fd, cqe),
            _ => {
                self.connections[fd as usize].sending = false;
                self.send(fd)
            }
        }
    }

    fn complete_receive(&mut self, fd: i32, cqe: &cqueue::Entry) -> io::Result<()> {
        if let Some(buffer) = cqueue::buffer_select(cqe.flags()) {
            self.buffers.give_back(buffer);
        }
        let result = cqe.result();
        if result > 0 {
            let connection = &mut self.connections[fd as usize];
            connection.owed += self.sizes.requests(&mut connection.pending, result as usize);
            self.send(fd)?;
        }
        if cqueue::more(cqe.flags()) {
            return Ok(());
        }
        if result > 0 || result == -libc::ENOBUFS {
            return self.receive(fd);
        }
        // SAFETY: `fd` is ours, and not used again until the kernel gives it anew.
        unsafe { libc::close(fd) };
        Ok(())
    }
}

/// A ring of buffers that the kernel receives into.
struct Buffers {
    entries: *mut types::BufRingEntry,
    memory: *mut u8,
    tail: u16,
}

impl Buffers {
    fn register(ring: &IoUring) -> io::Result<Buffers> {
        let (entries, memory) = (
            map(usize::from(BUFFERS) * size_of::<types::BufRingEntry>())?.cast(),
            map(usize::from(BUFFERS) * RECV_BUF_BYTES)?,
        );
        let submitter = ring.submitter();
        // SAFETY: both mappings are the kernel's and ours until the process ends.
        unsafe { submitter.register_buf_ring_with_flags(entries as u64, BUFFERS, GROUP, 0) }?;
        let mut buffers = Buffers { entries, memory, tail: 0 };
        (0..BUFFERS).for_each(|buffer| buffers.give_back(buffer));
        buffers.publish();
        Ok(buffers)
    }

    fn give_back(&mut self, buffer: u16) {
        let slot = usize::from(self.tail % BUFFERS);
        // SAFETY: `slot` is below BUFFERS, and the kernel reads no entry beyond the published tail.
        unsafe {
            let entry = &mut *self.entries.add(slot);
            entry.set_addr(self.memory.add(usize::from(buffer) * RECV_BUF_BYTES) as u64);
            entry.set_len(RECV_BUF_BYTES as u32);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail lies in the first entry, aligned; the kernel only reads it.
        let tail = unsafe {
            AtomicU16::from_ptr(types::BufRingEntry::tail(self.entries).cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Memory that is never given back.
fn map(bytes: usize) -> io::Result<*mut u8> {
    // SAFETY: asks for new memory, at no address in particular.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(memory.cast()) }
}
