//! What a target has done beyond executions, which libFuzzer counts: printed when it ends.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wire frames that went into an engine, or were cut out of a train.
static FRAMES: AtomicU64 = AtomicU64::new(0);
/// Inputs that were taken: scenarios that may run, texts that parse, trains that are trusted.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// So many more wire frames.
pub fn frames(count: u64) {
    print_at_exit();
    FRAMES.fetch_add(count, Ordering::Relaxed);
}

/// One more input that was taken.
pub fn taken() {
    print_at_exit();
    TAKEN.fetch_add(1, Ordering::Relaxed);
}

fn print_at_exit() {
    extern "C" fn print() {
        let (frames, taken) = (FRAMES.load(Ordering::Relaxed), TAKEN.load(Ordering::Relaxed));
        eprintln!("longwire: {taken} inputs taken, {frames} wire frames");
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `print` is a function without arguments, and there as long as the program.
        let registered = unsafe { libc::atexit(print) };
        assert_eq!(registered, 0, "there is room for one function");
    });
}
