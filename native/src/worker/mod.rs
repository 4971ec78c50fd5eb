//! A thread that owns sessions, their sockets and a wheel. It waits for datagrams, for turns of the wheel and for tasks, and
//! never for anything else: no disk, no lock, no answer.

pub mod clock;
mod joining;
#[cfg(test)]
mod joining_tests;
pub mod mailbox;
mod run;
pub mod seat;
pub mod wheel;

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::SyncSender;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use crate::control::protocol::{CloseCause, Command, Event, RecordingEnd};
use crate::disk::loader::Loaded;
use crate::disk::recorder::Recorder;
use crate::session::playback::Playback;
use crate::session::recording::{Recording, Wanted};
use crate::session::{Now, Session};

use clock::Clock;
use joining::Mix;
use mailbox::{Inbox, Mailbox};
use seat::{Joined, Seat, SeatWire};
use wheel::Wheel;

/// What the control thread gives a worker to do.
pub enum Task {
    /// A new session, or one that another worker gave up.
    Seat(Box<Seat>),
    /// Give up a session, so that another worker can join it to one of its own.
    Release(u32, SyncSender<Option<Box<Seat>>>),
    /// A command for a session that is here.
    Do(Command),
    Loaded(Loaded),
    /// (session, recording)
    StopRecording(u32, u32),
    /// (session, recording, paused)
    PauseRecording(u32, u32, bool),
    /// Close everything and end.
    Stop,
}

/// What the other threads tell the control thread.
pub enum Report {
    Events(Vec<Event>),
    Loaded(Loaded),
}

/// Served by the wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rider {
    Seat(usize),
    Mix(u32),
}

pub struct Worker {
    inbox: Inbox<Task>,
    outbox: Mailbox<Report>,
    recorder: Recorder,
    clock: Clock,
    epoll: Epoll,
    timer: TimerFd,
    armed_us: Option<u64>,
    seats: Vec<Option<Box<Seat>>>,
    free: Vec<usize>,
    by_id: HashMap<u32, usize>,
    mixes: HashMap<u32, Mix>,
    wheel: Wheel<Rider>,
    events: Vec<Event>,
    lateness: run::Lateness,
}

impl Worker {
    pub fn new(
        inbox: Inbox<Task>,
        outbox: Mailbox<Report>,
        recorder: Recorder,
    ) -> std::io::Result<Self> {
        let clock = Clock::default();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
        )?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, run::TIMER))?;
        epoll.add(inbox.fd(), EpollEvent::new(EpollFlags::EPOLLIN, run::INBOX))?;
        Ok(Self {
            inbox,
            outbox,
            recorder,
            clock,
            epoll,
            timer,
            armed_us: None,
            seats: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            mixes: HashMap::new(),
            wheel: Wheel::new(clock.now().us),
            events: Vec::new(),
            lateness: run::Lateness::default(),
        })
    }

    fn seat(&mut self, mut seat: Box<Seat>) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        });
        seat.joined = Joined::Nothing;
        seat.slot = Some(self.wheel.add(Rider::Seat(index)));
        let watched = |socket, token| {
            self.epoll
                .add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token))
        };
        let rtp = watched(seat.rtp.as_fd(), run::token(index, false));
        let rtcp = watched(seat.rtcp.as_fd(), run::token(index, true));
        self.by_id.insert(seat.session.id, index);
        self.seats[index] = Some(seat);
        if rtp.is_err() || rtcp.is_err() {
            self.close(index, CloseCause::Fault);
        }
    }

    /// Takes a seat out of everything it is in.
    fn unseat(&mut self, index: usize) -> Option<Box<Seat>> {
        self.part(index);
        let seat = self.seats.get_mut(index)?.take()?;
        if let Some(slot) = seat.slot {
            self.wheel.remove(Rider::Seat(index), slot);
        }
        let _ = self.epoll.delete(seat.rtp.as_fd());
        let _ = self.epoll.delete(seat.rtcp.as_fd());
        self.by_id.remove(&seat.session.id);
        self.free.push(index);
        Some(seat)
    }

    fn close(&mut self, index: usize, cause: CloseCause) {
        let now = self.clock.now();
        let Some(mut seat) = self.unseat(index) else {
            return;
        };
        let id = seat.session.id;
        let (session, mut wire) = seat.parts(&mut self.events);
        let closed = catch_unwind(AssertUnwindSafe(|| session.close(cause, now, &mut wire)));
        if closed.is_err() {
            // Even its last words were at fault; its caller must still hear that it is gone.
            let statistics = Session::unknown_statistics();
            self.events.push(Event::SessionClosed {
                session: id,
                cause: CloseCause::Fault,
                statistics,
            });
        }
    }

    /// Runs something of one session; a fault in it ends that session and no other.
    fn guarded<R>(
        &mut self,
        index: usize,
        step: impl FnOnce(&mut Session, &mut SeatWire<'_>) -> R,
    ) -> Option<R> {
        let seat = self.seats.get_mut(index)?.as_mut()?;
        let (session, mut wire) = seat.parts(&mut self.events);
        match catch_unwind(AssertUnwindSafe(|| step(session, &mut wire))) {
            Ok(result) => Some(result),
            Err(_) => {
                self.close(index, CloseCause::Fault);
                None
            }
        }
    }

    /// Sound begins now and not when the session's turn happens to come: that would be 10 ms later on average.
    fn hasten(&mut self, index: usize) {
        let Some(seat) = self.seats.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if let Some(slot) = seat.slot.filter(|_| seat.session.may_change_beat()) {
            seat.slot = Some(self.wheel.hasten(Rider::Seat(index), slot));
        }
    }

    fn task(&mut self, task: Task, now: Now) {
        match task {
            Task::Seat(seat) => self.seat(seat),
            Task::Release(session, answer) => {
                let index = self.by_id.get(&session).copied();
                let seat = index.and_then(|index| self.unseat(index));
                let _ = answer.send(seat);
            }
            Task::Loaded(loaded) => {
                if let Some(&index) = self.by_id.get(&loaded.session) {
                    self.guarded(index, |session, wire| session.loaded(loaded, wire));
                    self.hasten(index);
                }
            }
            Task::StopRecording(session, recording) => {
                if let Some(&index) = self.by_id.get(&session) {
                    self.guarded(index, |session, _| {
                        session.stop_recording(recording, RecordingEnd::Stopped)
                    });
                }
            }
            Task::PauseRecording(session, recording, paused) => {
                if let Some(&index) = self.by_id.get(&session) {
                    self.guarded(index, |session, _| {
                        session.pause_recording(recording, paused)
                    });
                }
            }
            Task::Do(command) => self.command(command, now),
            // Handled where tasks are taken.
            Task::Stop => {}
        }
    }

    fn command(&mut self, command: Command, now: Now) {
        let kind = command.kind();
        let (id, done) = match command {
            Command::Bridge { a, b } => (a, self.bridge(a, b)),
            Command::Unbridge { a, b } => (a, self.unbridge(a, b)),
            Command::JoinMix {
                mix,
                session,
                muted,
            } => (session, self.join_mix(mix, session, muted)),
            Command::LeaveMix { mix, session } => (session, self.leave_mix(mix, session)),
            Command::MuteInMix {
                mix,
                session,
                muted,
            } => (session, self.mute(mix, session, muted)),
            Command::Mute { session, muted } => (session, self.mute_session(session, muted)),
            Command::CloseSession { session } => {
                let index = self.by_id.get(&session).copied();
                index
                    .into_iter()
                    .for_each(|index| self.close(index, CloseCause::Asked));
                (session, Ok(()))
            }
            other => self.session_command(other, now),
        };
        if let Err(detail) = done {
            self.events.push(Event::CommandFailed {
                command: kind,
                id,
                detail: detail.to_owned(),
            });
        }
    }

    /// Commands that one session carries out by itself.
    fn session_command(&mut self, command: Command, now: Now) -> (u32, Result<(), &'static str>) {
        let recorder = self.recorder.clone();
        let mut on = |id: u32,
                      step: &mut dyn FnMut(
            &mut Session,
            &mut SeatWire<'_>,
        ) -> Result<(), &'static str>| {
            let Some(&index) = self.by_id.get(&id) else {
                return (id, Err("no such session"));
            };
            (
                id,
                self.guarded(index, |session, wire| step(session, wire))
                    .unwrap_or(Ok(())),
            )
        };
        match command {
            Command::SetRemote { remote } => on(remote.session, &mut |session, _| {
                session.set_remote(&remote, now);
                Ok(())
            }),
            Command::Play {
                session,
                playback,
                repeat,
                gap_ms,
                start_ms,
                ..
            } => on(session, &mut |session, wire| {
                session.play(Playback::new(playback, repeat, gap_ms, start_ms), wire);
                Ok(())
            }),
            Command::StopPlayback { session, playback } => on(session, &mut |session, wire| {
                // One that ended by itself a moment ago is no mistake: its event is on its way.
                session.stop_playback(playback, wire);
                Ok(())
            }),
            Command::SendDigits {
                session,
                request,
                digits,
            } => on(session, &mut |session, _| {
                session
                    .send_digits(request, &digits)
                    .then_some(())
                    .ok_or("too many digits wait already")
            }),
            Command::WatchSilence {
                session,
                silence_ms,
            } => on(session, &mut |session, _| {
                session.watch_silence(silence_ms, now);
                Ok(())
            }),
            Command::GetStatistics { session } => on(session, &mut |session, wire| {
                let statistics = session.statistics();
                crate::session::Wire::event(
                    wire,
                    Event::Statistics {
                        session: session.id,
                        statistics,
                    },
                );
                Ok(())
            }),
            Command::StartRecording {
                recording,
                session,
                recorded,
                path,
                max_ms,
                silence_ms,
            } => on(session, &mut |session, _| {
                let path = path.clone();
                let wanted = Wanted {
                    id: recording,
                    session: session.id,
                    kind: recorded,
                    path,
                    max_ms,
                    silence_ms,
                };
                session.record(Recording::start(wanted, recorder.clone()));
                Ok(())
            }),
            _ => (0, Err("not a command for a session")),
        }
    }
}
