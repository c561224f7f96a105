//! An allocator that looks for secrets in every block of memory that is given back.
//!
//! A type that says it wipes itself may still leave copies: where a list grew, where a value was moved within one, where
//! a buffer was exchanged for a larger one. What is left there can be read from a core dump or a later allocation. So the
//! tests of this package name the secrets, watch what the code under test gives back, and count the blocks that still
//! hold one of them.
//!
//! It sees the heap alone. What stays on the stack or in registers is beyond what a test can see.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};

/// Bytes of a secret that are looked for. Its rest follows from them.
pub const SECRET: usize = 32;

/// The system's allocator, watched. A test binary declares it as its `#[global_allocator]`.
#[derive(Debug)]
pub struct Watched;

/// One watch at a time: tests of one process may run on several threads.
static WATCH: Mutex<()> = Mutex::new(());
static IS_WATCHING: AtomicBool = AtomicBool::new(false);
static LEAKS: AtomicUsize = AtomicUsize::new(0);
/// Rising, so that a block is searched by bisection.
static SECRETS: RwLock<Vec<[u8; SECRET]>> = RwLock::new(Vec::new());

/// Runs `work` and returns how many blocks that were given back meanwhile hold one of the `secrets`.
///
/// # Panics
/// If there are no secrets, or one is of a single byte over and over: it would be found where it is not.
pub fn leaks(secrets: impl IntoIterator<Item = [u8; SECRET]>, work: impl FnOnce()) -> usize {
    let alone = WATCH.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut sorted: Vec<_> = secrets.into_iter().collect();
    sorted.sort_unstable();
    assert!(!sorted.is_empty(), "nothing to look for");
    assert!(sorted.iter().all(|secret| secret.windows(2).any(|pair| pair[0] != pair[1])), "not a secret");
    *SECRETS.write().expect("unpoisoned") = sorted;
    LEAKS.store(0, Ordering::SeqCst);
    IS_WATCHING.store(true, Ordering::SeqCst);
    work();
    IS_WATCHING.store(false, Ordering::SeqCst);
    *SECRETS.write().expect("unpoisoned") = Vec::new();
    drop(alone);
    LEAKS.load(Ordering::SeqCst)
}

fn look_through(block: &[u8]) {
    let Ok(secrets) = SECRETS.try_read() else { return };
    let is_secret = |window: &[u8]| secrets.binary_search_by(|secret| secret.as_slice().cmp(window)).is_ok();
    if block.windows(SECRET).any(is_secret) {
        LEAKS.fetch_add(1, Ordering::SeqCst);
    }
}

// SAFETY: every call goes to the system's allocator as it came; only a block that is about to be given back is read first.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that all of a block is initialised when it is read.
        // SAFETY: the caller's promises are those of this function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if IS_WATCHING.load(Ordering::Relaxed) {
            // SAFETY: the caller owns the block, which has this size, was zeroed when it was made and is not in use.
            look_through(unsafe { std::slice::from_raw_parts(block, layout.size()) });
        }
        // SAFETY: the caller's promises are those of this function.
        unsafe { System.dealloc(block, layout) }
    }

    // `realloc` is left as it is provided: a new block, a copy, and `dealloc` of the old one. The system's own may leave the
    // old block behind unseen.
}
