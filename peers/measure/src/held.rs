//! Heap memory that is held, summed by the global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

/// The system's allocator, which knows how many bytes are allocated.
///
/// Register it with `#[global_allocator]`; the sum is of the whole process.
#[derive(Debug)]
pub struct Holding;

/// The bytes that are allocated now.
pub fn held() -> i64 {
    HELD.load(Ordering::Relaxed)
}

static HELD: AtomicI64 = AtomicI64::new(0);

// SAFETY: every method passes its arguments on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Holding {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        take(layout.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        take(layout.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn add(size: usize) {
    HELD.fetch_add(size as i64, Ordering::Relaxed);
}

fn take(size: usize) {
    HELD.fetch_sub(size as i64, Ordering::Relaxed);
}
