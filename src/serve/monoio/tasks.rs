//! The tasks of one core on monoio: one accepts, one awaits the alarm, one the other cores, and each
//! connection has one, in which a receiver and a sender take turns.
//!
//! Each brings one kind of event to the [`Desk`]; none knows what it means. What a task has under way
//! when it ends is cancelled by monoio as it is dropped. Start at [`connection`].

use super::desk::{Attendant, Desk, Order};
use crate::io::ConnId;
use crate::io::net::{self, Waker};
use monoio::io::{
    AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, OwnedReadHalf, OwnedWriteHalf, Splitable,
};
use monoio::net::{TcpListener, TcpStream};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

/// Starts a task that the end of the server waits for.
pub(super) fn spawn(desk: &Rc<Desk>, work: impl Future<Output = ()> + 'static) {
    desk.task_began();
    let desk = Rc::clone(desk);
    let _detached = monoio::spawn(async move {
        work.await;
        desk.task_ended();
    });
}

/// Accepts until it is stopped, then takes what still waits in the queue: those peers were told that
/// they are connected. `waiting` is a second descriptor of `listener`.
pub(super) async fn accept(
    desk: Rc<Desk>,
    listener: TcpListener,
    waiting: std::net::TcpListener,
    nonblocking: bool,
) {
    while let Some(handle) = poll_fn(|cx| desk.poll_accepting(cx)).await {
        match listener.cancelable_accept(handle).await {
            Ok((stream, peer)) => open(&desk, stream, peer),
            Err(error) if net::is_out_of_resources(&error) => desk.pause_accepting(),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return desk.accepting_ended(Some(error));
            }
            // The peer gave up while it waited, or the accept was cancelled.
            Err(_) => {}
        }
    }
    net::refuse_handshakes(waiting.as_fd());
    drop(listener);
    net::accept_all(waiting.as_fd(), nonblocking, |fd| {
        let stream = std::net::TcpStream::from(fd);
        let peer = stream.peer_addr();
        if let (Ok(peer), Ok(stream)) = (peer, TcpStream::from_std(stream)) {
            open(&desk, stream, peer);
        }
    });
    drop(waiting);
    desk.accepting_ended(None);
}

fn open(desk: &Rc<Desk>, stream: TcpStream, peer: SocketAddr) {
    let id = desk.accept(peer);
    spawn(desk, connection(Rc::clone(desk), id, stream));
}

/// Serves one connection until the floor closes it.
async fn connection(desk: Rc<Desk>, id: ConnId, stream: TcpStream) {
    let (reader, writer) = stream.into_split();
    transfer(&desk, id, reader, writer).await;
    desk.forget(id);
}

async fn transfer(
    desk: &Desk,
    id: ConnId,
    reader: OwnedReadHalf<TcpStream>,
    writer: OwnedWriteHalf<TcpStream>,
) {
    let mut receiving = pin!(receive(desk, id, reader));
    let mut sending = pin!(send(desk, id, writer));
    poll_fn(|cx| {
        for _ in 0..ROUNDS_MAX {
            if desk.is_closed(id, cx) {
                return Poll::Ready(());
            }
            let Poll::Pending = receiving.as_mut().poll(cx);
            let Poll::Pending = sending.as_mut().poll(cx);
            if !desk.take_yielded(id) {
                return Poll::Pending;
            }
        }
        desk.rest(cx);
        Poll::Pending
    })
    .await;
}

async fn receive(desk: &Desk, id: ConnId, mut reader: OwnedReadHalf<TcpStream>) -> Infallible {
    let mut buffer = Vec::with_capacity(RECEIVE_BUF_BYTES);
    loop {
        poll_fn(|_| desk.poll_receiving(id)).await;
        let (outcome, filled) = reader.read(buffer).await;
        buffer = filled;
        match outcome {
            Ok(0) => {
                desk.end(id);
                return pending().await;
            }
            Ok(_) => desk.receive(id, &buffer),
            Err(error) if net::is_temporary(&error) => {}
            Err(_) => {
                desk.fail(id);
                return pending().await;
            }
        }
        // On epoll a receive that finds nothing costs a system call, and the answer is ready.
        let mut yielded = false;
        poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            desk.yield_to_sender(id);
            Poll::Pending
        })
        .await;
    }
}

async fn send(desk: &Desk, id: ConnId, mut writer: OwnedWriteHalf<TcpStream>) -> Infallible {
    loop {
        match poll_fn(|_| desk.poll_order(id)).await {
            Order::Send(bytes) => match writer.write_all(bytes).await {
                (Ok(_), bytes) => desk.sent(id, bytes),
                (Err(_), _) => desk.fail(id),
            },
            Order::ShutdownWrite => {
                // A connection that is gone already needs no telling.
                let _ = writer.shutdown().await;
            }
        }
    }
}

/// Awaits the alarm, which [`Desk::attend`] sets again.
pub(super) async fn alarm(desk: Rc<Desk>, alarm: TcpStream) {
    while until_over(&desk, Attendant::Alarm, alarm.readable(false)).await {
        desk.attend();
    }
}

/// Awaits the other cores, and whoever stops the server.
pub(super) async fn wakes(desk: Rc<Desk>, waker: Waker, readable: TcpStream) {
    while until_over(&desk, Attendant::Wakes, readable.readable(false)).await {
        waker.drain();
        desk.attend();
    }
}

/// Is ready to run whenever the root has run, so that the runtime never sleeps.
pub(super) async fn spin(desk: Rc<Desk>) {
    poll_fn(|cx| desk.poll_spinning(cx)).await;
}

/// Whether `event` came before the end of the server.
async fn until_over<T>(desk: &Desk, attendant: Attendant, event: impl Future<Output = T>) -> bool {
    let mut event = pin!(event);
    poll_fn(|cx| match desk.poll_over(attendant, cx) {
        Poll::Ready(()) => Poll::Ready(false),
        Poll::Pending => event.as_mut().poll(cx).map(|_| true),
    })
    .await
}

/// Chosen: as the receive buffers of the `uring` backend. Each connection holds one, since monoio
/// lends it to the kernel for as long as the peer is silent.
const RECEIVE_BUF_BYTES: usize = 2048;
/// Chosen: reads of one connection, each with its answers, before the others have their turn.
const ROUNDS_MAX: usize = 16;
