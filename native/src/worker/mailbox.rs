//! A queue into a thread that sleeps in `epoll` or `poll`: what is put in wakes it, once for a whole batch.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::Arc;

use nix::sys::eventfd::{EfdFlags, EventFd};

/// The end that is written to.
pub struct Mailbox<T> {
    queue: Sender<T>,
    bell: Arc<EventFd>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            bell: self.bell.clone(),
        }
    }
}

/// The end that is read.
pub struct Inbox<T> {
    queue: Receiver<T>,
    bell: Arc<EventFd>,
}

pub fn mailbox<T>() -> std::io::Result<(Mailbox<T>, Inbox<T>)> {
    let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
    let bell = Arc::new(EventFd::from_value_and_flags(0, flags)?);
    let (sender, receiver) = mpsc::channel();
    Ok((
        Mailbox {
            queue: sender,
            bell: bell.clone(),
        },
        Inbox {
            queue: receiver,
            bell,
        },
    ))
}

impl<T> Mailbox<T> {
    /// Puts something in without waking the reader. What is sent to a thread that has ended is lost with it.
    pub fn put(&self, item: T) {
        let _ = self.queue.send(item);
    }

    pub fn wake(&self) {
        let _ = self.bell.write(1);
    }

    pub fn send(&self, item: T) {
        self.put(item);
        self.wake();
    }
}

impl<T> Inbox<T> {
    pub fn take(&self) -> Option<T> {
        self.queue.try_recv().ok()
    }

    /// To be called after waking, before taking.
    pub fn quieten(&self) {
        let _ = self.bell.read();
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives_in_order_and_rings_once() {
        let (mailbox, inbox) = mailbox().unwrap();
        let other = mailbox.clone();
        mailbox.put(1);
        mailbox.put(2);
        assert!(inbox.bell.read().is_err(), "nobody rang");
        other.send(3);
        assert_eq!(inbox.bell.read().unwrap(), 1);
        assert_eq!(
            std::iter::from_fn(|| inbox.take()).collect::<Vec<_>>(),
            [1, 2, 3]
        );
    }
}
