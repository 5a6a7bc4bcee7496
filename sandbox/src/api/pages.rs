//! Lists that are read in pages (`limit` and `continue`).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ApiError;
use crate::store::Object;

/// Lists that are being read in pages at the same time; the oldest is given up for a new one.
const MAX_PAGED_LISTS: usize = 64;

/// Lists that clients are in the middle of reading. Each page of a list is of one version.
#[derive(Default)]
pub(crate) struct Pages(Mutex<PagedLists>);

#[derive(Default)]
struct PagedLists {
    next_id: u64,
    lists: VecDeque<PagedList>,
}

struct PagedList {
    id: u64,
    revision: u64,
    resource: String,
    objects: Vec<Object>,
}

/// The `continue` token of a page.
pub(super) fn write_token(id: u64, offset: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("{id}/{offset}"))
}

/// Which list, and from where on.
pub(super) fn read_token(token: &str) -> Result<(u64, usize), ApiError> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (id, offset) = text.split_once('/')?;
        Some((id.parse().ok()?, offset.parse().ok()?))
    };
    read().ok_or_else(|| ApiError::bad_request("continue key is not valid: it cannot be decoded"))
}

impl Pages {
    fn with<T>(&self, act: impl FnOnce(&mut PagedLists) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers a list; answers by which number.
    pub(super) fn keep(&self, resource: String, objects: Vec<Object>, revision: u64) -> u64 {
        self.with(|paged| {
            paged.next_id += 1;
            let id = paged.next_id;
            paged.lists.push_back(PagedList {
                id,
                revision,
                resource,
                objects,
            });
            if paged.lists.len() > MAX_PAGED_LISTS {
                paged.lists.pop_front();
            }
            id
        })
    }

    /// The whole list and its version, if it is still remembered.
    pub(super) fn get(&self, id: u64, resource: &str) -> Option<(Vec<Object>, u64)> {
        self.with(|paged| {
            let list = paged
                .lists
                .iter()
                .find(|l| l.id == id && l.resource == resource)?;
            Some((list.objects.clone(), list.revision))
        })
    }

    /// Forgets a list that was read to its end.
    pub(super) fn done(&self, id: u64) {
        self.with(|paged| paged.lists.retain(|list| list.id != id));
    }

    /// Gives up every list that is being read: their continue tokens are answered with 410.
    pub(crate) fn expire(&self) {
        self.with(|paged| paged.lists.clear());
    }
}
