//! Whether connections are accepted, and the pause while descriptors are short.
//!
//! Pure: the listener is whatever stands for it, `now` comes in. What a driver has to tell the kernel
//! about each change is the driver's. Start at [`Accepting::pause`].

use super::Wait;
use crate::units::{Mono, Nanos};

/// How long accepting pauses when descriptors ran out, unless one of ours is closed before. Chosen:
/// within the 100-500 ms that nginx and others use. A descriptor that somebody else frees is found
/// within it; a CPU meanwhile sees ten vain attempts a second, which is nothing.
const ACCEPT_PAUSE: Nanos = Nanos::from_millis(100);

/// The state of accepting, and the listener `L` while there is one.
#[derive(Debug, Default)]
pub(crate) enum Accepting<L> {
    /// Nobody listens: not yet, or no more.
    #[default]
    Off,
    /// Accepting.
    On(L),
    /// Descriptors ran out. Resumed when one of ours is closed, or at the point in time.
    Paused(L, Mono),
}

impl<L> Accepting<L> {
    /// Descriptors ran out at `now`. The listener, if it was on; a pause that was begun already lasts
    /// from now.
    pub(crate) fn pause(&mut self, now: Mono) -> Option<&L> {
        let was_on = matches!(self, Accepting::On(_));
        *self = match std::mem::take(self) {
            Accepting::Off => Accepting::Off,
            Accepting::On(listener) | Accepting::Paused(listener, _) => {
                Accepting::Paused(listener, now + ACCEPT_PAUSE)
            }
        };
        match self {
            Accepting::Paused(listener, _) if was_on => Some(listener),
            _ => None,
        }
    }

    /// Ends the pause. The listener, if there was one.
    pub(crate) fn resume(&mut self) -> Option<&L> {
        match std::mem::take(self) {
            Accepting::Paused(listener, _) => {
                *self = Accepting::On(listener);
                self.on()
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// Ends it, whatever it was. The listener, if there was one.
    pub(crate) fn stop(&mut self) -> Option<L> {
        match std::mem::take(self) {
            Accepting::Off => None,
            Accepting::On(listener) | Accepting::Paused(listener, _) => Some(listener),
        }
    }

    /// The listener, while it accepts.
    pub(crate) fn on(&self) -> Option<&L> {
        match self {
            Accepting::On(listener) => Some(listener),
            Accepting::Off | Accepting::Paused(..) => None,
        }
    }

    /// Whether nobody listens.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Accepting::Off)
    }

    /// When the pause is over, if there is one.
    pub(crate) fn until(&self) -> Option<Mono> {
        match self {
            Accepting::Paused(_, until) => Some(*until),
            Accepting::Off | Accepting::On(_) => None,
        }
    }

    /// Whether there is a pause, and it is over. Without one, `now` is not asked.
    pub(crate) fn due(&self, now: impl FnOnce() -> Mono) -> bool {
        self.until().is_some_and(|until| now() >= until)
    }

    /// `wait`, but no longer than the pause.
    pub(crate) fn cap(&self, wait: Wait) -> Wait {
        self.until().map_or(wait, |until| wait.no_later_than(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(1_000);

    /// What is to be seen of it a nanosecond before and at the end of a pause that began at `NOW`.
    #[track_caller]
    fn check(accepting: &Accepting<char>, on: Option<char>, until: Option<Mono>) {
        assert_eq!((accepting.on().copied(), accepting.until()), (on, until));
        let cap = until.map_or(Wait::Forever, Wait::Until);
        assert_eq!(accepting.cap(Wait::Forever), cap);
        assert_eq!(accepting.cap(Wait::Poll), Wait::Poll);
        let just_before = until.map_or(NOW, |until| Mono(until.0 - 1));
        assert!(!accepting.due(|| just_before));
        assert_eq!(until.is_some_and(|until| accepting.due(|| until)), until.is_some());
    }

    #[test]
    fn a_pause_lasts_its_time_and_keeps_the_listener() {
        let mut accepting = Accepting::On('l');
        check(&accepting, Some('l'), None);
        assert_eq!(accepting.pause(NOW), Some(&'l'));
        check(&accepting, None, Some(NOW + ACCEPT_PAUSE));
        assert_eq!(accepting.resume(), Some(&'l'));
        check(&accepting, Some('l'), None);
        assert_eq!(accepting.resume(), None, "it is on");
        check(&accepting, Some('l'), None);
    }

    #[test]
    fn a_pause_while_paused_begins_anew_and_loses_nothing() {
        let mut accepting = Accepting::Paused('l', NOW);
        let later = NOW + Nanos(7);
        assert_eq!(accepting.pause(later), None, "it was paused already");
        check(&accepting, None, Some(later + ACCEPT_PAUSE));
        assert_eq!(accepting.resume(), Some(&'l'));
    }

    #[test]
    fn a_stop_gives_the_listener_back_paused_or_not() {
        for mut accepting in [Accepting::On('l'), Accepting::Paused('l', NOW)] {
            assert_eq!((accepting.stop(), accepting.stop()), (Some('l'), None));
            check(&accepting, None, None);
        }
    }

    #[test]
    fn what_is_off_stays_off() {
        let mut accepting: Accepting<char> = Accepting::default();
        assert_eq!(accepting.pause(NOW), None);
        assert_eq!(accepting.resume(), None);
        check(&accepting, None, None);
        assert!(accepting.is_off() && !Accepting::On('l').is_off());
        assert!(!Accepting::Paused('l', NOW).is_off());
    }
}
