//! How frames enter and leave the engine.
