//! Quantities and their texts.

use super::probability::PARTS;
use super::*;
use proptest::prelude::*;

fn rate(bps: u64) -> Rate {
    Rate::from_bps(bps).unwrap()
}

proptest! {
    #[test]
    fn every_quantity_round_trips_through_its_text(n in any::<u64>(), small in 0u64..100_000, shift in 0u32..40) {
        for n in [n, small, small << shift] {
            let d = Duration::from_nanos(n);
            prop_assert_eq!(d.to_string().parse::<Duration>(), Ok(d));
            let b = ByteSize::from_bytes(n);
            prop_assert_eq!(b.to_string().parse::<ByteSize>(), Ok(b));
            let r = Rate::from_bps(n % 1_000_000_000_000_000).unwrap_or(rate(1));
            prop_assert_eq!(r.to_string().parse::<Rate>(), Ok(r));
            let p = Probability::from_parts(n % (PARTS + 1)).unwrap();
            prop_assert_eq!(p.to_string().parse::<Probability>(), Ok(p));
        }
    }

    #[test]
    fn a_backlog_serializes_without_drift(bits in prop::collection::vec(1u64..600_000, 1..200), bps in 1u64..100_000_000_000) {
        let rate = rate(bps);
        let mut carry = 0;
        let sum: u128 = bits.iter().map(|b| u128::from(rate.serialize(*b, &mut carry).as_nanos())).sum();
        let total: u128 = bits.iter().map(|b| u128::from(*b)).sum();
        prop_assert_eq!(sum, total * u128::from(NANOS_PER_SEC) / u128::from(bps));
    }
}

#[test]
fn texts_read_as_documented() {
    let duration = |t: &str| t.parse::<Duration>().map(Duration::as_nanos);
    assert_eq!(duration("5ms"), Ok(5_000_000));
    assert_eq!(duration("1.5us"), Ok(1_500));
    assert_eq!(duration("2µs"), Ok(2_000));
    assert_eq!(duration("7 ns"), Ok(7));
    assert_eq!(duration("0.5h"), Ok(1_800 * NANOS_PER_SEC));
    assert_eq!("20Mbit".parse::<Rate>().map(Rate::as_bps), Ok(20_000_000));
    assert_eq!("1.5Mbit/s".parse::<Rate>().map(Rate::as_bps), Ok(1_500_000));
    assert_eq!("64KiB".parse::<ByteSize>().map(ByteSize::as_bytes), Ok(65_536));
    assert_eq!("64kB".parse::<ByteSize>().map(ByteSize::as_bytes), Ok(64_000));
    assert_eq!("1%".parse::<Probability>().map(Probability::as_parts), Ok(10_000_000_000));
    assert_eq!("10ppm".parse::<Probability>().map(Probability::as_parts), Ok(10_000_000));
    assert_eq!(Duration::from_millis(1500).to_string(), "1.5s");
    assert_eq!(ByteSize::from_bytes(1500).to_string(), "1500B");
    assert_eq!(Probability::from_parts(25_000_000).unwrap().to_string(), "25ppm");
    assert_eq!(Probability::from_parts(15_000_000_000).unwrap().to_string(), "1.5%");
}

#[test]
fn mistakes_say_what_to_write() {
    let says = |e: ParseError, part: &str| assert!(e.to_string().contains(part), "{e}");
    says("20".parse::<Duration>().unwrap_err(), "write `20ms`");
    says("20".parse::<Rate>().unwrap_err(), "write `20Mbit`");
    says("0.5".parse::<Probability>().unwrap_err(), "could mean");
    says("5Mbps".parse::<Rate>().unwrap_err(), "did you mean `5Mbit`");
    says("5mbit".parse::<Rate>().unwrap_err(), "did you mean `5Mbit`");
    says("5 sec".parse::<Duration>().unwrap_err(), "units:");
    for two in ["100ms 20ms", "100ms±20ms", "100ms +/- 20ms", "100ms,20ms"] {
        let error = two.parse::<Duration>().unwrap_err().to_string();
        let jitter = "a delay with jitter is `{ mean: 100ms, jitter: 20ms }`";
        assert_eq!(error, format!("expected one duration, as in `100ms`, found `{two}`; {jitter}"));
    }
    says("1m30s".parse::<Duration>().unwrap_err(), "expected one duration, as in `1m`");
    says("1% 2%".parse::<Probability>().unwrap_err(), "expected one probability, as in `1%`");
    says("5Mbps 1".parse::<Rate>().unwrap_err(), "not a unit");
    says("fast".parse::<Rate>().unwrap_err(), "a number and a unit");
    says("101%".parse::<Probability>().unwrap_err(), "at most `100%`");
    says("0.5ns".parse::<Duration>().unwrap_err(), "finer than 1 ns");
    says("0Mbit".parse::<Rate>().unwrap_err(), "passes nothing");
    says("1.2.3s".parse::<Duration>().unwrap_err(), "not a number");
    says("99999999999999999999999h".parse::<Duration>().unwrap_err(), "too large");
}

#[test]
fn probability_edges_are_certain() {
    assert!(!Probability::NEVER.happens(0));
    assert!(Probability::ALWAYS.happens(u64::MAX));
    let half = Probability::from_parts(PARTS / 2).unwrap();
    assert!(half.happens((1 << 63) - 1));
    assert!(!half.happens(1 << 63));
}

#[test]
fn serialization_times_are_those_of_the_wire() {
    let gigabit = rate(1_000_000_000);
    assert_eq!(gigabit.time_for(ByteSize::from_bytes(1500)), Duration::from_nanos(12_000));
    assert_eq!(rate(8).time_for(ByteSize::from_bytes(1)), Duration::from_secs(1));
    assert_eq!(gigabit.bytes_in(Duration::from_millis(1)), ByteSize::from_bytes(125_000));
    let mut carry = 0;
    let ten_gigabit = rate(10_000_000_000);
    let burst: u64 = (0..10).map(|_| ten_gigabit.serialize(64 * 8, &mut carry).as_nanos()).sum();
    assert_eq!(burst, 512);
}

#[test]
fn a_measured_quantity_is_rounded_and_takes_the_unit_of_its_column() {
    let ms = Unit::find("ms");
    let time = |text: &str| Dimension::Time.nearest(text, ms, Unit::find).map_err(String::from);
    assert_eq!(time("12.3456789123"), Ok(12_345_679));
    assert_eq!(
        (time("1e-3"), time("+2"), time("3s"), time("4 us")),
        (Ok(1_000), Ok(2_000_000), Ok(3_000_000_000), Ok(4_000))
    );
    for (wrong, part) in [
        ("-1", "`-1` is negative: a duration is 0 or more"),
        ("1,5", "has a decimal comma: write a point"),
        ("1.2.3", "`1.2.3` is not a number"),
        ("nan", "is not a duration"),
        ("", "is not a duration"),
        ("1parsec", "units: ns us"),
        ("5Mbit", "`Mbit` is not a unit of a duration"),
        ("1e99", "too large"),
    ] {
        let error = time(wrong).unwrap_err();
        assert!(error.contains(part), "{wrong}: {error}");
    }
    let bare = Dimension::Time.nearest("5", None, Unit::find).unwrap_err();
    assert!(bare.to_string().contains("write `5ms`"));
    let share = |text: &str, unit| Dimension::Share.nearest(text, unit, Unit::of_column);
    assert_eq!(share("0.01", Some(Unit::FRACTION)), share("1%", None));
    assert!(share("1.5", Some(Unit::FRACTION)).unwrap_err().to_string().contains("at most `100%`"));
    assert_eq!(Dimension::Rate.nearest("125", Unit::of_column("kB/s"), Unit::of_column), Ok(1_000_000));
}

proptest! {
    /// Whatever prints as a quantity is read alike by both readers, and the one of a column needs no unit of its own.
    #[test]
    fn exact_and_nearest_agree_where_nothing_is_rounded(n in any::<u64>(), shift in 0u32..64) {
        let text = Duration::from_nanos(n >> shift).to_string();
        prop_assert_eq!(Dimension::Time.exact(&text), Dimension::Time.nearest(&text, None, Unit::find));
        let nanos = Dimension::Time.nearest(&(n >> shift).to_string(), Unit::find("ns"), Unit::find);
        prop_assert_eq!(nanos, Ok(n >> shift));
    }
}

#[test]
fn units_have_one_name_each_and_the_last_is_the_largest() {
    let names: Vec<&str> = Unit::names_of_columns().collect();
    for (n, name) in names.iter().enumerate() {
        assert!(!names[..n].contains(name), "{name} stands twice");
        assert_eq!(Unit::of_column(name).map(Unit::name), Some(*name));
    }
    for dimension in [Dimension::Time, Dimension::Rate, Dimension::Size, Dimension::Share] {
        let factors: Vec<u64> = dimension.units().map(Unit::factor).collect();
        assert!(factors.is_sorted() && factors.len() > 1, "{dimension:?}");
    }
}
