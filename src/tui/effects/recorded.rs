//! A recording that is played: there is nothing to ask, and its moments are read from memory.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt, future::BoxFuture};
use ngf_core::bundle::{Opened, recording::Player};

use crate::tui::state::job::Session;

/// A recording.
pub struct Recorded {
    player: Arc<Mutex<Player>>,
}

impl Recorded {
    /// The recording that this player goes through.
    pub fn new(player: Player) -> Self {
        Self {
            player: Arc::new(Mutex::new(player)),
        }
    }
}

impl Session for Recorded {
    fn moment(&self, index: usize) -> BoxFuture<'_, Result<Box<Opened>, String>> {
        let player = Arc::clone(&self.player);
        // A moment of a large cluster takes a while to decode.
        let read = tokio::task::spawn_blocking(move || {
            let mut player = player.lock().unwrap_or_else(PoisonError::into_inner);
            player.go_to(index)
        });
        async move {
            match read.await {
                Ok(Ok(opened)) => Ok(Box::new(opened)),
                Ok(Err(why)) => Err(why.to_string()),
                Err(_) => Err("the moment could not be decoded".to_owned()),
            }
        }
        .boxed()
    }
}
