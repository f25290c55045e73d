//! The fields of a link, each declared once, in the order of their effects. What a direction does ([`DirectionSpec`]), what
//! changes of it ([`Change`], which is also how a scenario writes it) and the fields' names all come from this list, and from
//! that of [`Impairments`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::table::NamedFile;
use crate::model::{DelaySpec, Framing, ImpairmentChanges, Impairments, LossSpec, RateSpec, mtu};
use crate::queue::QueueSpec;

/// `name: type in a change => type in a direction`, each with its attributes. A change's value converts into a direction's.
macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $name:ident: $(#[$written:meta])* $Written:ty => $(#[$kept:meta])* $Kept:ty,)+) => {
        const OWN: &[&str] = &[$(stringify!($name)),+];

        /// What one direction of a link does to frames.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub struct DirectionSpec {
            $($(#[doc = $doc])+ $(#[$kept])* pub $name: $Kept,)+
            /// What happens to shares of the frames behind loss.
            #[serde(flatten)]
            pub impairments: Impairments,
            /// The wire is one for both directions of the link, which take turns. It is, if either says so.
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            pub half_duplex: bool,
            /// MTU of the host's interface where the direction ends, in L3 bytes: what is larger drops as above `mtu`, since
            /// no real interface takes it in. A live change leaves it alone.
            #[serde(skip)]
            pub port_mtu: Option<u32>,
        }

        /// What changes in one direction; what is `None` stays as it is. Also the fields as a scenario writes them.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Change {
            $($(#[doc = $doc])+ $(#[$written])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$Written>,)+
            /// New impairments of shares of the frames. Read apart: serde loses the places of what it flattens.
            #[serde(flatten, skip_deserializing)]
            #[schemars(skip)]
            pub impairments: ImpairmentChanges,
        }

        impl Change {
            /// What must change to get from one to the other. A limit that is gone becomes an `mtu` of 0.
            pub fn between(old: &DirectionSpec, new: &DirectionSpec) -> Change {
                let impairments = old.impairments.difference(&new.impairments);
                let mut change = Change { $($name: changed(&old.$name, &new.$name),)+ impairments };
                if old.mtu.is_some() && new.mtu.is_none() {
                    change.mtu = Some(0);
                }
                change
            }

            /// Puts the change on top of what a direction does now. A direction that gets a rate gets the default queue, unless it
            /// has one. An `mtu` of 0 lifts the limit.
            pub fn apply_to(&self, spec: &mut DirectionSpec) {
                $(if let Some(new) = self.$name.clone() {
                    spec.$name = new.into();
                })+
                spec.impairments.change(&self.impairments);
                spec.mtu = spec.mtu.filter(|mtu| *mtu > 0);
                if spec.rate != RateSpec::Unlimited {
                    spec.queue.get_or_insert(QueueSpec::DEFAULT);
                }
            }
        }
    };
}

fields! {
    /// Largest L3 packet that passes, in bytes. A live change leaves the hosts' own MTU alone.
    mtu: #[serde(deserialize_with = "mtu::optional")] #[schemars(with = "Option<mtu::Mtu>")] u32
        => #[serde(skip_serializing_if = "Option::is_none")] Option<u32>,
    /// What holds frames while the wire is busy. It goes with `rate`; by default 200 ms, and at least 10 frames.
    queue: QueueSpec => #[serde(skip_serializing_if = "Option::is_none")] Option<QueueSpec>,
    /// How fast the wire serializes.
    rate: RateSpec => RateSpec,
    /// What a frame costs on the wire beyond its own bytes.
    framing: Framing => Framing,
    /// Loss on the wire.
    loss: LossSpec => LossSpec,
    /// Propagation delay, one way.
    delay: DelaySpec => DelaySpec,
}

/// The names of all fields that a direction may be given.
pub const FIELDS: &[&str] = &joined::<{ OWN.len() + Impairments::NAMES.len() }>();

const fn joined<const N: usize>() -> [&'static str; N] {
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < OWN.len() { OWN[at] } else { Impairments::NAMES[at - OWN.len()] };
        at += 1;
    }
    all
}

/// The new value, if it is another.
fn changed<K: Clone + PartialEq + Into<Option<T>>, T>(old: &K, new: &K) -> Option<T> {
    if old == new { None } else { new.clone().into() }
}

impl DirectionSpec {
    /// The largest L3 packet that comes through, in bytes: what both the link and the interface at its end take.
    pub fn largest(&self) -> Option<u32> {
        self.mtu.into_iter().chain(self.port_mtu).min()
    }

    /// Visits every file that a model takes a table from, with the keys that lead to it, or to the list that it stands in, in
    /// the order of that.
    pub fn files(&mut self, visit: &mut dyn FnMut(&[&str], &mut dyn NamedFile)) {
        self.rate.files(&mut |file| visit(&["rate"], file));
        self.loss.files(&mut |file| visit(&["loss"], file));
        self.delay.files(&mut |key, file| visit(&["delay", key], file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_between_two_directions_leads_from_one_to_the_other() {
        let plain = DirectionSpec::default();
        let own =
            r#"{"mtu": 1400, "queue": "codel", "rate": "1Mbit", "framing": "ethernet", "loss": "1%", "delay": "5ms"}"#;
        let shares = r#"{"reset": "1%", "corrupt": "2%", "duplicate": "3%", "reorder": "4%"}"#;
        let busy = Change { impairments: serde_json::from_str(shares).unwrap(), ..serde_json::from_str(own).unwrap() };
        let mut spec = plain.clone();
        busy.apply_to(&mut spec);
        assert_eq!(serde_json::to_value(&busy).unwrap().as_object().unwrap().len(), FIELDS.len());
        assert_eq!(Change::between(&plain, &spec), busy);
        let back = Change::between(&spec, &plain);
        assert_eq!((back.mtu, back.queue), (Some(0), None), "a queue stays until a rate asks for it");
        back.apply_to(&mut spec);
        assert_eq!(spec, DirectionSpec { queue: busy.queue, ..plain });
        assert_eq!(Change::between(&spec, &spec), Change::default());
    }
}
