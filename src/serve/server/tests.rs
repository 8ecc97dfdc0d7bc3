use super::*;
use crate::io::topology::usable_cpus;
use crate::units::Nanos;
use socket2::SockRef;
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;

const WORKERS: usize = 4;
/// Chosen: far above what a start or an end takes on a loaded machine.
const PATIENCE: Nanos = Nanos::from_secs(20);

fn plan(backend: Backend) -> Plan {
    Plan { workers: Some(WORKERS), ..Plan::new(backend) }
}

/// What `act` comes to, unless it hangs.
#[track_caller]
fn in_time<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, outcome) = mpsc::channel();
    std::thread::spawn(move || done.send(act()));
    outcome.recv_timeout(PATIENCE.to_std()).expect("it ends, and without a panic")
}

/// A way in which a worker does not come to serve.
type Fault = fn(Sender<Report>) -> io::Result<WorkerThread>;

fn is_refused_a_driver(report: Sender<Report>) -> io::Result<WorkerThread> {
    Ok(std::thread::spawn(move || {
        tell(report, Err(io::Error::other("no driver")));
        Ok(())
    }))
}

fn panics(report: Sender<Report>) -> io::Result<WorkerThread> {
    Ok(std::thread::spawn(move || {
        let _unused = report;
        std::panic::resume_unwind(Box::new("on purpose"))
    }))
}

fn is_refused_a_thread(_: Sender<Report>) -> io::Result<WorkerThread> {
    Err(io::Error::other("no thread"))
}

/// A start in which the workers of these indices meet `fault` fails with `expected`, and nobody
/// listens any more.
#[track_caller]
fn check_failed_start(backend: Backend, faulty: &'static [usize], fault: Fault, expected: &str) {
    let (error, address) = in_time(move || {
        let address = Mutex::new(None);
        let started = Server::start_by(&plan(backend), |seat, listener, report| {
            *address.lock().unwrap() = Some(listener.local_address().unwrap());
            match faulty.contains(&seat.core) {
                true => fault(report),
                false => seat.spawn(listener, report),
            }
        });
        (started.map(drop).unwrap_err(), address.into_inner().unwrap().unwrap())
    });
    assert_eq!(error.to_string(), expected, "{faulty:?} of {backend:?}");
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "{faulty:?} of {backend:?}");
}

#[test]
fn a_start_fails_and_leaves_nobody_behind_however_many_workers_cannot_serve() {
    let faulty: [&[usize]; 6] = [&[0], &[3], &[1, 2], &[0, 1, 3], &[1, 2, 3], &[0, 1, 2, 3]];
    for backend in Backend::ALL {
        for faulty in faulty {
            check_failed_start(backend, faulty, is_refused_a_driver, "no driver");
            check_failed_start(backend, faulty, is_refused_a_thread, "no thread");
            let expected = "a worker panicked before it was ready";
            check_failed_start(backend, faulty, panics, expected);
        }
    }
}

#[test]
fn workers_that_cannot_be_pinned_fail_the_start_and_name_the_cpu() {
    let cpus = format!("{},1000", usable_cpus()[0]);
    let plan = Plan { cpus: Some(cpus.parse().unwrap()), ..plan(Backend::Epoll) };
    let error = in_time(move || Server::start(&plan).map(drop)).unwrap_err().to_string();
    let begin = "--cpus 1000: the kernel refused to pin a thread there: ";
    assert!(error.starts_with(begin) && error.contains("taskset -p"), "{error}");
}

/// Starts a server one of whose workers `spawn` breaks once it serves, and joins it.
#[track_caller]
fn broken(
    backend: Backend,
    spawn: impl Fn(Seat, Listener, Sender<Report>) -> io::Result<WorkerThread> + Send + 'static,
) -> io::Error {
    in_time(move || Server::start_by(&plan(backend), spawn).unwrap().join()).unwrap_err()
}

#[test]
fn a_worker_whose_driver_breaks_ends_the_server_whatever_its_index() {
    for backend in Backend::ALL {
        for faulty in [0, WORKERS - 1] {
            let error = broken(backend, move |seat, listener, report| {
                if seat.core == faulty {
                    // No driver goes on when a socket accepts that does not listen.
                    SockRef::from(&listener).shutdown(Shutdown::Both)?;
                }
                seat.spawn(listener, report)
            });
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{backend:?}: {error}");
        }
    }
}

#[test]
fn a_worker_that_panics_ends_the_server_whatever_its_index() {
    for faulty in [0, WORKERS - 1] {
        let error = broken(Backend::Epoll, move |seat, listener, report| {
            if seat.core != faulty {
                return seat.spawn(listener, report);
            }
            Ok(std::thread::spawn(move || {
                let made = Waker::new().map(|waker| ((), waker, Vec::new()));
                let _duty = seat.await_the_others(made, report);
                std::panic::resume_unwind(Box::new("on purpose"))
            }))
        });
        assert_eq!(error.to_string(), "a worker panicked");
    }
}
