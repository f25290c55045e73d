//! The formats on the wire: checked views over byte slices. No I/O, no allocation.
