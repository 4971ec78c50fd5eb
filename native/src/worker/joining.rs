//! Sessions that hear each other: bridges, where packets pass as they come, and mixes, which have a beat of their own.

use crate::dsp::mixer::Mixer;
use crate::dsp::FRAME_SAMPLES;
use crate::session::Now;

use super::seat::Joined;
use super::{Rider, Worker};

type Done = Result<(), &'static str>;

pub struct Mix {
    pub(super) members: Vec<usize>,
    mixer: Mixer,
    slot: usize,
}

impl Worker {
    fn index(&self, session: u32) -> Result<usize, &'static str> {
        self.by_id.get(&session).copied().ok_or("no such session")
    }

    fn joined(&self, index: usize) -> Joined {
        self.seats
            .get(index)
            .and_then(Option::as_ref)
            .map_or(Joined::Nothing, |seat| seat.joined)
    }

    fn set_joined(&mut self, index: usize, joined: Joined) {
        if let Some(seat) = self.seats.get_mut(index).and_then(Option::as_mut) {
            seat.joined = joined;
            seat.session.set_bridged();
            seat.session.set_mixed(matches!(joined, Joined::Mix(..)));
        }
    }

    pub(super) fn bridge(&mut self, a: u32, b: u32) -> Done {
        let (a, b) = (self.index(a)?, self.index(b)?);
        if a == b {
            return Err("a session cannot be bridged with itself");
        }
        self.part(a);
        self.part(b);
        self.set_joined(a, Joined::Bridge(b));
        self.set_joined(b, Joined::Bridge(a));
        Ok(())
    }

    pub(super) fn unbridge(&mut self, a: u32, b: u32) -> Done {
        let (a, b) = (self.index(a)?, self.index(b)?);
        if self.joined(a) == Joined::Bridge(b) {
            self.part(a);
        }
        Ok(())
    }

    /// Takes a seat out of its bridge or mix.
    pub(super) fn part(&mut self, index: usize) {
        match self.joined(index) {
            Joined::Nothing => {}
            Joined::Bridge(other) => {
                self.set_joined(other, Joined::Nothing);
                self.set_joined(index, Joined::Nothing);
            }
            Joined::Mix(id, _) => {
                self.set_joined(index, Joined::Nothing);
                self.leave_members(id, index);
                let slot = self.wheel.add(Rider::Seat(index));
                if let Some(seat) = self.seats.get_mut(index).and_then(Option::as_mut) {
                    seat.slot = Some(slot);
                }
            }
        }
    }

    fn leave_members(&mut self, id: u32, index: usize) {
        let Some(mix) = self.mixes.get_mut(&id) else {
            return;
        };
        mix.members.retain(|&member| member != index);
        if mix.members.is_empty() {
            self.wheel.remove(Rider::Mix(id), mix.slot);
            self.mixes.remove(&id);
        } else {
            let members = mix.members.len();
            mix.mixer.resize(members);
        }
    }

    /// A member is served with its mix, not by itself.
    pub(super) fn join_mix(&mut self, id: u32, session: u32, muted: bool) -> Done {
        let index = self.index(session)?;
        if matches!(self.joined(index), Joined::Mix(other, _) if other == id) {
            return self.mute(id, session, muted);
        }
        self.part(index);
        if let Some(seat) = self.seats.get_mut(index).and_then(Option::as_mut) {
            if let Some(slot) = seat.slot.take() {
                self.wheel.remove(Rider::Seat(index), slot);
            }
        }
        if !self.mixes.contains_key(&id) {
            let slot = self.wheel.add(Rider::Mix(id));
            self.mixes.insert(
                id,
                Mix {
                    members: Vec::new(),
                    mixer: Mixer::new(0),
                    slot,
                },
            );
        }
        if let Some(mix) = self.mixes.get_mut(&id) {
            mix.members.push(index);
            let members = mix.members.len();
            mix.mixer.resize(members);
        }
        self.set_joined(index, Joined::Mix(id, muted));
        Ok(())
    }

    pub(super) fn leave_mix(&mut self, id: u32, session: u32) -> Done {
        let index = self.index(session)?;
        if matches!(self.joined(index), Joined::Mix(other, _) if other == id) {
            self.part(index);
        }
        Ok(())
    }

    pub(super) fn mute(&mut self, id: u32, session: u32, muted: bool) -> Done {
        let index = self.index(session)?;
        match self.joined(index) {
            Joined::Mix(other, _) if other == id => {
                // Not `set_joined`: the stream goes on as it is.
                if let Some(seat) = self.seats.get_mut(index).and_then(Option::as_mut) {
                    seat.joined = Joined::Mix(id, muted);
                }
                Ok(())
            }
            _ => Err("the session is not in this mix"),
        }
    }

    /// Whatever it is joined to, now and later, hears silence of it; it hears the others all the same.
    pub(super) fn mute_session(&mut self, session: u32, muted: bool) -> Done {
        let index = self.index(session)?;
        if let Some(seat) = self.seats.get_mut(index).and_then(Option::as_mut) {
            seat.muted = muted;
        }
        Ok(())
    }

    pub(super) fn muted(&self, index: usize) -> bool {
        self.seats
            .get(index)
            .and_then(Option::as_ref)
            .is_some_and(|seat| seat.muted)
    }

    /// One beat of a mix: everybody is heard, then everybody hears the others.
    pub(super) fn tick_mix(&mut self, id: u32, now: Now) {
        // Out of the map, so that a member whose fault ends it can be taken out of its mix meanwhile.
        let Some(mut mix) = self.mixes.remove(&id) else {
            return;
        };
        let members = mix.members.clone();
        self.mixes.insert(
            id,
            Mix {
                members: std::mem::take(&mut mix.members),
                mixer: Mixer::new(0),
                slot: mix.slot,
            },
        );
        mix.mixer.begin();
        let mut frame = [0; FRAME_SAMPLES];
        for (party, &index) in members.iter().enumerate() {
            let heard = self
                .guarded(index, |session, _| session.beat(now, &mut frame))
                .unwrap_or(false);
            if heard && !self.muted(index) && !matches!(self.joined(index), Joined::Mix(_, true)) {
                mix.mixer.add(party, &frame);
            }
        }
        for (party, &index) in members.iter().enumerate() {
            mix.mixer.hear(party, &mut frame);
            self.guarded(index, |session, wire| session.tick(now, Some(&frame), wire));
        }
        if let Some(kept) = self.mixes.get_mut(&id) {
            kept.mixer = mix.mixer;
            if kept.mixer.capacity() != kept.members.len() {
                kept.mixer.resize(kept.members.len());
            }
        }
    }
}
