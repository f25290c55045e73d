//! Whether what has an end begins anew.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::model::form::forms;
use crate::units::{Duration, ParseError};

/// Whether rows or steps begin anew. `true`: when the last one is over. A duration: when that has passed since they began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// The last one holds for ever.
    #[default]
    Never,
    /// When the last one is over.
    AtEnd,
    /// So long after they began.
    Every(Duration),
}

forms! {
    Repeat, "Repeat": "Whether it begins again when it is over; or when it does.",
    "`true`, `false`, or when it begins again, as in `20s`";
    bool => |repeat| if repeat { Repeat::AtEnd } else { Repeat::Never };
    text { "$ref": "#/$defs/Duration" } => |text| match text {
        // of a parameter
        "true" => Ok(Repeat::AtEnd),
        "false" => Ok(Repeat::Never),
        _ => text.parse().map(Repeat::Every).map_err(|error: ParseError| error.into()),
    };
}

impl Repeat {
    /// Whether the last one holds for ever.
    pub fn is_never(&self) -> bool {
        *self == Repeat::Never
    }

    /// How long a round is, if there are rounds, in ns. `last`: when the last one starts; `end`: when it is over, if that is
    /// known.
    ///
    /// # Errors
    /// Why that is no round, and what to write instead.
    pub(in crate::model) fn round(self, last: u64, end: Option<u64>) -> Result<Option<u64>, String> {
        let text = Duration::from_nanos;
        match (self, end) {
            (Repeat::Never, _) => Ok(None),
            (Repeat::AtEnd, Some(end)) => Ok(Some(end)),
            (Repeat::AtEnd, None) => {
                Err("`repeat: true` needs to know how long the last one lasts: give it `for`, or \
                                          write when all begins again, as in `repeat: 20s`"
                    .into())
            }
            (Repeat::Every(length), Some(end)) if length.as_nanos() != end => {
                Err(format!("`repeat: {length}` contradicts the end, at {}: write `repeat: true`", text(end)))
            }
            (Repeat::Every(length), _) if length.as_nanos() <= last => {
                Err(format!("`repeat: {length}` is not after the last one, which starts at {}", text(last)))
            }
            (Repeat::Every(length), _) => Ok(Some(length.as_nanos())),
        }
    }
}

impl Serialize for Repeat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Repeat::Never => serializer.serialize_bool(false),
            Repeat::AtEnd => serializer.serialize_bool(true),
            Repeat::Every(length) => length.serialize(serializer),
        }
    }
}

/// Behind what repeats: nothing, ` repeated`, ` repeat 20s`.
impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repeat::Never => Ok(()),
            Repeat::AtEnd => f.write_str(" repeated"),
            Repeat::Every(time) => write!(f, " repeat {time}"),
        }
    }
}
