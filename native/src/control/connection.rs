//! A connection of the control process: frames in, bytes out, descriptors beside them. It never waits.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{recvmsg, sendmsg, ControlMessage, ControlMessageOwned, MsgFlags};

use super::protocol::{Command, Frames, Malformed};

/// Read at once.
const READ_BYTES: usize = 65_536;
/// Descriptors that one message may bring.
const MAX_DESCRIPTORS: usize = 16;

pub struct Connection {
    stream: UnixStream,
    frames: Frames,
    out: Vec<u8>,
    written: usize,
}

/// A connection that is of no more use.
#[derive(Debug)]
pub struct Gone;

impl From<Malformed> for Gone {
    fn from(_: Malformed) -> Self {
        Self
    }
}

impl Connection {
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            frames: Frames::default(),
            out: Vec::new(),
            written: 0,
        })
    }

    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Reads what there is.
    pub fn read(&mut self) -> Result<(), Gone> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(Gone),
            Ok(count) => {
                self.frames.feed(&bytes[..count]);
                Ok(())
            }
            Err(error) if is_for_now(&error) => Ok(()),
            Err(_) => Err(Gone),
        }
    }

    /// Reads what there is, with the descriptors that come beside it.
    pub fn read_with_descriptors(&mut self) -> Result<Vec<OwnedFd>, Gone> {
        let mut bytes = [0; READ_BYTES];
        let mut room = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
        let message =
            match recvmsg::<()>(self.stream.as_raw_fd(), &mut slices, Some(&mut room), flags) {
                Ok(message) => message,
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(Vec::new()),
                Err(_) => return Err(Gone),
            };
        let mut descriptors = Vec::new();
        for control in message.cmsgs().map_err(|_| Gone)? {
            if let ControlMessageOwned::ScmRights(received) = control {
                descriptors.extend(received.into_iter().map(own));
            }
        }
        let count = message.bytes;
        if count == 0 {
            return Err(Gone);
        }
        self.frames.feed(&bytes[..count]);
        Ok(descriptors)
    }

    /// The next command that was read.
    pub fn command(&mut self) -> Result<Option<Command>, Gone> {
        match self.frames.next_frame()? {
            Some(frame) => Ok(Some(Command::decode(frame)?)),
            None => Ok(None),
        }
    }

    /// Where to put frames that are to be written.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub fn has_to_write(&self) -> bool {
        self.written < self.out.len()
    }

    /// Writes what the other side takes now.
    pub fn write(&mut self) -> Result<(), Gone> {
        while self.has_to_write() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(Gone),
                Ok(count) => self.written += count,
                Err(error) if is_for_now(&error) => return Ok(()),
                Err(_) => return Err(Gone),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Writes one short message with descriptors beside it.
    pub fn write_with_descriptors(
        &mut self,
        bytes: &[u8],
        descriptors: &[RawFd],
    ) -> Result<(), Gone> {
        let rights = [ControlMessage::ScmRights(descriptors)];
        let control = if descriptors.is_empty() {
            &[][..]
        } else {
            &rights[..]
        };
        let slices = [IoSlice::new(bytes)];
        let sent = sendmsg::<()>(
            self.stream.as_raw_fd(),
            &slices,
            control,
            MsgFlags::MSG_NOSIGNAL,
            None,
        );
        match sent {
            Ok(count) if count == bytes.len() => Ok(()),
            _ => Err(Gone),
        }
    }
}

fn is_for_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// A descriptor the kernel has just given to this process with a message.
#[allow(unsafe_code)]
fn own(descriptor: RawFd) -> OwnedFd {
    // SAFETY: SCM_RIGHTS made this descriptor for us in `recvmsg`; nobody else in the process knows its number.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Connection, Connection) {
        let (one, other) = UnixStream::pair().unwrap();
        (
            Connection::new(one).unwrap(),
            Connection::new(other).unwrap(),
        )
    }

    #[test]
    fn commands_go_through_and_an_end_is_told() {
        let (mut control, mut engine) = pair();
        engine.read().unwrap();
        assert!(engine.command().unwrap().is_none());
        Command::Ack { event: 3 }.encode(control.out());
        Command::Shutdown {}.encode(control.out());
        control.write().unwrap();
        assert!(!control.has_to_write());
        engine.read().unwrap();
        assert_eq!(engine.command().unwrap(), Some(Command::Ack { event: 3 }));
        assert_eq!(engine.command().unwrap(), Some(Command::Shutdown {}));
        drop(control);
        assert!(engine.read().is_err());
    }

    #[test]
    fn rubbish_ends_a_connection() {
        let (mut control, mut engine) = pair();
        control.out().extend_from_slice(&[1, 0, 0, 0, 99]);
        control.write().unwrap();
        engine.read().unwrap();
        assert!(engine.command().is_err());
    }

    #[test]
    fn descriptors_travel_beside_the_bytes() {
        let (mut control, mut engine) = pair();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut bytes = Vec::new();
        Command::KeepSocket {
            name: "a".to_owned(),
        }
        .encode(&mut bytes);
        control
            .write_with_descriptors(&bytes, &[socket.as_raw_fd()])
            .unwrap();
        let mut descriptors = engine.read_with_descriptors().unwrap();
        assert_eq!(
            engine.command().unwrap(),
            Some(Command::KeepSocket {
                name: "a".to_owned()
            })
        );
        let same = std::net::UdpSocket::from(descriptors.pop().unwrap());
        assert_eq!(same.local_addr().unwrap(), socket.local_addr().unwrap());
        assert!(descriptors.is_empty());
    }

    #[test]
    fn a_reader_that_is_slow_is_not_waited_for() {
        let (mut control, engine) = pair();
        control.out().extend(std::iter::repeat(0).take(4 << 20));
        control.write().unwrap();
        assert!(control.has_to_write());
        drop(engine);
        assert!(control.write().is_err());
    }
}
