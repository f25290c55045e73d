//! Delays as drawn against the closed forms of their distributions, with fixed seeds.
//!
//! Kolmogorov–Smirnov at α = 0.001: √n · sup |F_n − F| < 1.95. A mean or jitter that is off by 5 % moves F by at least 0.012
//! (a normal σ; all others more), √n times which is 3.8 at n = 100,000: it fails with a power above 0.999.

use super::*;
use crate::model::form::from_json;
use crate::model::statistics::kolmogorov_smirnov;
use crate::model::table::{FileOf, NamedFile as _, Table};
use crate::rng::{StreamKey, Way};
use crate::stats::normal;
use serde_json::{Value, json};

const N: u64 = 100_000;
const CRITICAL: f64 = 1.95;

fn key() -> StreamKey {
    StreamKey::new(1, "link", Way::Forward, "delay")
}

fn spec(value: Value) -> DelaySpec {
    from_json(value).unwrap()
}

fn drawn(delay: &Delay, n: u64) -> Vec<Drawn> {
    (0..n).map(|i| delay.draw(Instant::ZERO, || key().frame(i, 0))).collect()
}

fn drawn_in_a_chain(delay: &mut Delay, n: u64) -> Vec<Drawn> {
    let z: Vec<f64> = (0..n).map(|i| delay.admit(|| key().frame(i, 0)).unwrap()).collect();
    z.iter().map(|z| delay.draw_correlated(Instant::ZERO, *z, 0, || panic!("z is all it needs"))).collect()
}

fn ms(drawn: &[Drawn]) -> Vec<f64> {
    drawn.iter().map(|drawn| drawn.delay.as_millis_f64()).collect()
}

fn moments(samples: &[f64]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let square = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, square.sqrt())
}

/// Spearman's rank correlation of each sample with the one before it.
fn lag_one_rank_correlation(samples: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by(|a, b| samples[*a].total_cmp(&samples[*b]));
    let mut ranks = vec![0.0; samples.len()];
    for (rank, at) in order.into_iter().enumerate() {
        ranks[at] = rank as f64;
    }
    let (mean, sigma) = moments(&ranks);
    let products: f64 = ranks.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
    products / (samples.len() - 1) as f64 / (sigma * sigma)
}

/// A table of the iproute2 package, if it is installed here.
pub(super) fn iproute2_table(name: &str) -> Option<String> {
    let mut folders = vec![std::path::PathBuf::from("/usr/lib/tc"), "/usr/share/tc".into()];
    if let Ok(entries) = std::fs::read_dir("/usr/lib") {
        folders.extend(entries.flatten().map(|entry| entry.path().join("tc")));
    }
    let found = folders.iter().find_map(|folder| std::fs::read_to_string(folder.join(format!("{name}.dist"))).ok());
    if found.is_none() {
        println!("skipped for {name}.dist: iproute2 has not installed it here");
    }
    found
}

fn loaded<T: Table>(name: &str, text: &str) -> FileOf<T> {
    let mut file = FileOf::new(name);
    file.load(text).unwrap();
    file
}

/// A distribution function.
type Cdf = Box<dyn Fn(f64) -> f64>;

/// Each with a mean of 20 ms and a jitter of 5 ms, and its distribution function in ms.
fn laws() -> Vec<(DelaySpec, Cdf)> {
    let law = |distribution: Value| spec(json!({"mean": "20ms", "jitter": "5ms", "distribution": distribution}));
    // Pareto: x_m = σ (α − 1) √((α − 2)/α), and the mean of X − x_m is x_m / (α − 1)
    let pareto = |shape: f64| {
        let x_m = 5.0 * (shape - 1.0) * ((shape - 2.0) / shape).sqrt();
        move |x: f64| 1.0 - ((x - 20.0 + x_m / (shape - 1.0)).max(0.0) / x_m + 1.0).powf(-shape)
    };
    let lognormal = |min: f64| {
        let square = (1.0 + (5.0 / (20.0 - min)).powi(2)).ln();
        let mu = (20.0 - min).ln() - square / 2.0;
        move |x: f64| if x <= min { 0.0 } else { normal::cdf(((x - min).ln() - mu) / square.sqrt()) }
    };
    let gamma = |min: f64| {
        let shape = ((20.0 - min) / 5.0).powi(2);
        let scale = (20.0 - min) / shape;
        move |x: f64| if x <= min { 0.0 } else { gamma::Tails::new(shape, ((x - min) / scale).ln()).ln_lower.exp() }
    };
    let weibull = |min: f64, shape: f64| {
        let scale = (20.0 - min) / libm::tgamma(1.0 + 1.0 / shape);
        move |x: f64| 1.0 - (-((x - min).max(0.0) / scale).powf(shape)).exp()
    };
    // σ / mean of a Weibull distribution of shape 2 is √(4/π − 1): so much is above min
    let rayleigh = 20.0 - 5.0 / (4.0 / core::f64::consts::PI - 1.0f64).sqrt();
    let min = format!("{}ns", (rayleigh * 1e6).round());
    vec![
        (law(json!("uniform")), Box::new(|x| ((x - 15.0) / 10.0).clamp(0.0, 1.0))),
        (law(json!("normal")), Box::new(|x| normal::cdf((x - 20.0) / 5.0))),
        (law(json!("exponential")), Box::new(|x| 1.0 - (-(x - 15.0).max(0.0) / 5.0).exp())),
        (law(json!("pareto")), Box::new(pareto(3.0))),
        (law(json!({"pareto": {"shape": 5}})), Box::new(pareto(5.0))),
        (law(json!("lognormal")), Box::new(lognormal(0.0))),
        (law(json!({"lognormal": {"min": "15ms"}})), Box::new(lognormal(15.0))),
        (law(json!("gamma")), Box::new(gamma(0.0))),
        (law(json!({"gamma": {"min": "17ms"}})), Box::new(gamma(17.0))), // a shape below 1
        (law(json!({"weibull": {"min": "15ms"}})), Box::new(weibull(15.0, 1.0))),
        (law(json!({"weibull": {"min": min}})), Box::new(weibull(rayleigh, 2.0))),
    ]
}

#[test]
fn each_distribution_is_its_closed_form() {
    for (spec, cdf) in laws() {
        let name = serde_json::to_string(&spec.distribution).unwrap();
        let delay = Delay::new(spec);
        let all = drawn(&delay, N);
        let distance = kolmogorov_smirnov(&ms(&all), cdf);
        assert!(distance < CRITICAL, "{name}: {distance}");
        assert!(all.iter().all(|drawn| drawn.delay >= delay.least()), "{name}: below {}", delay.least());
        assert!(delay.may_clamp() || all.iter().all(|drawn| !drawn.clamped), "{name}");
    }
}

/// The same test, where a parameter is not what it should be.
#[test]
fn a_jitter_a_mean_or_a_shape_off_by_five_percent_would_be_seen() {
    for (right, cdf) in laws() {
        let name = serde_json::to_string(&right.distribution).unwrap();
        let wider = DelaySpec { jitter: Duration::from_micros(5250), ..right.clone() };
        // of a uniform distribution, 5 % of 20 ms are a fifth of its width
        let later = DelaySpec { mean: Duration::from_millis(21), ..right.clone() };
        let mut wrong = vec![("jitter", wider), ("mean", later)];
        if let Distribution::Pareto(spec) = right.distribution {
            let shape = ParetoShape::try_from(spec.shape.as_f64() * 1.05).unwrap();
            let distribution = Distribution::Pareto(ParetoSpec { shape });
            wrong.push(("shape", DelaySpec { distribution, ..right.clone() }));
        }
        for (what, wrong) in wrong {
            let distance = kolmogorov_smirnov(&ms(&drawn(&Delay::new(wrong), N)), &cdf);
            println!("{name}, {what} + 5 %: {distance:.2}");
            // 1.55 beyond the critical value is a power above 0.999
            assert!(distance > CRITICAL + 1.55, "{name}, {what}: {distance}");
        }
    }
}

/// σ of the mean is σ/√n; that of σ is σ √((κ − 1)/4n), κ being the kurtosis. 3.3 of them are α = 0.001. Of a Pareto
/// distribution of shape 3 the kurtosis is infinite, so that its σ is held by the closed form alone.
#[test]
fn mean_and_deviation_are_as_asked() {
    for (spec, kurtosis) in [
        (json!("normal"), 3.0),
        (json!("exponential"), 9.0),
        (json!({"pareto": {"shape": 8}}), 24.0), // 3 (3k² + k + 2)(k − 2) / (k (k − 3)(k − 4))
        (json!("lognormal"), 4.04),
        (json!("gamma"), 3.375),
        (json!({"weibull": {"min": "15ms"}}), 9.0),
    ] {
        let name = spec.to_string();
        let delay = Delay::new(self::spec(json!({"mean": "20ms", "jitter": "5ms", "distribution": spec})));
        let (mean, sigma) = moments(&ms(&drawn(&delay, N)));
        let root = (N as f64).sqrt();
        assert!((mean - 20.0).abs() < 3.3 * 5.0 / root, "{name}: mean {mean}");
        assert!((sigma - 5.0).abs() < 3.3 * 5.0 * ((kurtosis - 1.0f64) / 4.0).sqrt() / root, "{name}: σ {sigma}");
    }
    let (mean, sigma) = moments(&ms(&drawn(&Delay::new(laws()[0].0.clone()), N)));
    assert!((mean - 20.0).abs() < 0.03 && (sigma - 5.0 / 3f64.sqrt()).abs() < 0.02, "uniform: {mean} ± {sigma}");
}

#[test]
fn the_tail_of_a_pareto_delay_falls_with_its_shape() {
    for shape in [3.0f64, 5.0] {
        let spec = spec(json!({"mean": "20ms", "jitter": "5ms", "distribution": {"pareto": {"shape": shape}}}));
        let x_m = 5.0 * (shape - 1.0) * ((shape - 2.0) / shape).sqrt();
        let all = ms(&drawn(&Delay::new(spec), N));
        // Hill's estimator of 1/α over all draws: the mean of ln(x / x_m), with a standard error of 1/(α √n)
        let hill = all.iter().map(|x| ((x - 20.0 + x_m / (shape - 1.0)) / x_m + 1.0).ln()).sum::<f64>() / N as f64;
        assert!((hill * shape - 1.0).abs() < 3.3 / (N as f64).sqrt(), "1/α is {hill}, not 1/{shape}");
    }
}

/// Of the chain every `thin`-th draw, which is as good as independent of the one before.
#[test]
fn a_correlation_is_as_asked_and_leaves_the_distribution_as_it_is() {
    for (n, rho, thin) in [(60_000u64, "50%", 8), (250_000, "-30%", 5), (60_000, "90%", 40), (60_000, "-80%", 20)] {
        for distribution in [json!("uniform"), json!("exponential")] {
            let (_, cdf) =
                laws().into_iter().find(|(spec, _)| json!(spec.distribution.word()) == distribution).unwrap();
            let mut delay = Delay::new(spec(
                json!({"mean": "20ms", "jitter": "5ms", "distribution": distribution, "correlation": rho}),
            ));
            let all = ms(&drawn_in_a_chain(&mut delay, n));
            let (wanted, got) = (rho.parse::<Correlation>().unwrap().as_f64(), lag_one_rank_correlation(&all));
            // 5 % of each of these is 6.4 standard errors or more, as of an AR(1) chain's √((1 − r²)/n)
            let error = ((1.0 - wanted * wanted) / n as f64).sqrt();
            assert!(0.05 * wanted.abs() > 6.4 * error, "{rho}: too few draws");
            assert!((got - wanted).abs() < 3.3 * error, "{distribution} {rho}: {got}");
            let thinned: Vec<f64> = all.into_iter().step_by(thin).collect();
            let distance = kolmogorov_smirnov(&thinned, cdf);
            assert!(distance < CRITICAL, "{distribution} {rho}: {distance}");
        }
    }
}

/// The quantile form of every law: z from independent normals, as a chain without correlation would have it.
#[test]
fn each_distribution_is_its_closed_form_at_the_quantiles_of_a_normal_too() {
    for (spec, cdf) in laws() {
        let name = serde_json::to_string(&spec.distribution).unwrap();
        for correlation in ["1ppm", "none"] {
            let delay = Delay::new(DelaySpec { correlation: correlation.parse().unwrap(), ..spec.clone() });
            // the draws of the chain's generators, one law after the other with the same ones
            let n = if correlation == "none" { 2_000 } else { N / 2 };
            let at = |i| {
                let z: f64 = StandardNormal.sample(&mut key().frame(i, 0));
                delay.draw_correlated(Instant::ZERO, z, 0, || panic!("z is all it needs"))
            };
            let all: Vec<Drawn> = (0..n).map(at).collect();
            let distance = kolmogorov_smirnov(&ms(&all), &cdf);
            assert!(distance < CRITICAL, "{name}: {distance}");
            assert!(all.iter().all(|drawn| drawn.delay >= delay.least()), "{name}");
        }
    }
}

#[test]
fn a_copy_draws_by_itself_and_leaves_the_chain_alone() {
    let correlated = spec(json!({"mean": "20ms", "jitter": "5ms", "correlation": "90%"}));
    let mut delay = Delay::new(correlated.clone());
    assert!(delay.is_correlated());
    let z: Vec<f64> = (0..20_000).map(|i| delay.admit(|| key().frame(i, 0)).unwrap()).collect();
    let copies: Vec<f64> = (0..)
        .zip(&z)
        .map(|(i, z)| delay.draw_correlated(Instant::ZERO, *z, 1, || key().frame(i, 1)).delay.as_millis_f64())
        .collect();
    assert!(kolmogorov_smirnov(&copies, |x| ((x - 15.0) / 10.0).clamp(0.0, 1.0)) < CRITICAL);
    let rank = lag_one_rank_correlation(&copies);
    assert!(rank.abs() < 3.3 / 20_000f64.sqrt(), "{rank}");
    // drawing changed nothing: the next link is what it would have been
    let mut other = Delay::new(correlated);
    let again: Vec<f64> = (0..20_001).map(|i| other.admit(|| key().frame(i, 0)).unwrap()).collect();
    assert_eq!((&again[..20_000], delay.admit(|| key().frame(20_000, 0))), (&z[..], Some(again[20_000])));
}

#[test]
fn a_chain_goes_on_when_parameters_change() {
    let spec = |jitter, correlation| spec(json!({"mean": "20ms", "jitter": jitter, "correlation": correlation}));
    let mut delay = Delay::new(spec("5ms", "90%"));
    let mut same = Delay::new(spec("5ms", "90%"));
    for i in 0..10 {
        assert_eq!(delay.admit(|| key().frame(i, 0)), same.admit(|| key().frame(i, 0)));
    }
    delay.set(spec("7ms", "90%"));
    assert_eq!(delay.admit(|| key().frame(10, 0)), same.admit(|| key().frame(10, 0)));
    delay.set(spec("7ms", "99.9%"));
    let (last, next) = (same.admit(|| key().frame(11, 0)).unwrap(), delay.admit(|| key().frame(11, 0)).unwrap());
    assert!((next - last).abs() < 2.0 && next != last);
    // frames that were admitted with a correlation may meet a delay without one, or without jitter
    for other in [json!("4ms"), json!({"mean": "4ms", "jitter": "0ms", "distribution": "gamma"})] {
        delay.set(from_json(other).unwrap());
        assert_eq!(delay.admit(|| panic!("no chain")), None);
        let drawn = delay.draw_correlated(Instant::ZERO, 1.0, 0, || panic!("z is all it needs"));
        assert_eq!(drawn.delay, Duration::from_millis(4));
    }
    delay.set(self::spec(json!({"mean": "20ms", "jitter": "5ms"})));
    let drawn = delay.draw_correlated(Instant::ZERO, 0.0, 0, || panic!("z is all it needs"));
    assert_eq!(drawn.delay, Duration::from_millis(20));
}

#[test]
fn a_constant_delay_draws_nothing() {
    for value in [
        json!("5ms"),
        json!({"mean": "5ms", "distribution": "gamma"}),
        json!({"mean": "5ms", "distribution": "netem-pareto", "correlation": "50%"}),
    ] {
        let mut delay = Delay::new(spec(value));
        assert!(delay.is_constant() && !delay.may_clamp() && !delay.is_correlated());
        assert_eq!(delay.admit(|| panic!("a constant needs no generator")), None);
        let drawn = delay.draw(Instant::ZERO, || panic!("a constant needs no generator"));
        assert_eq!(drawn, Drawn { delay: Duration::from_millis(5), clamped: false });
        assert_eq!((delay.least(), delay.mean_at(Instant::MAX)), (drawn.delay, drawn.delay));
    }
}

#[test]
fn one_nanosecond_of_jitter_is_three_delays() {
    let mut plain = Delay::new(spec(json!({"mean": "1us", "jitter": "1ns"})));
    assert_eq!(plain.least(), Duration::from_nanos(999));
    let mut chained = Delay::new(spec(json!({"mean": "1us", "jitter": "1ns", "correlation": "1ppm"})));
    for all in [drawn(&plain, 30_000), drawn_in_a_chain(&mut chained, 30_000)] {
        let mut seen = [0u32; 3];
        for drawn in all {
            seen[(drawn.delay.as_nanos() - 999) as usize] += 1;
        }
        // χ² with 2 degrees of freedom: 13.8 at α = 0.001
        let chi2: f64 = seen.iter().map(|s| (f64::from(*s) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi2 < 13.8, "{seen:?}");
    }
    plain.set(spec(json!({"mean": "1ns", "jitter": "1ns"})));
    assert!(!plain.may_clamp());
    plain.set(spec(json!({"mean": "1ns", "jitter": "2ns"})));
    assert!(plain.may_clamp());
}

#[test]
fn negative_delays_clamp_to_zero_and_say_so() {
    for (distribution, share) in [("uniform", 0.5), ("normal", 0.5), ("netem-normal", 0.5)] {
        let delay = Delay::new(spec(json!({"mean": "0ms", "jitter": "1ms", "distribution": distribution})));
        let all = drawn(&delay, 20_000);
        let clamped: Vec<_> = all.iter().filter(|drawn| drawn.clamped).collect();
        // 3.3 standard errors of a half of 20,000
        assert!((clamped.len() as f64 / 20_000.0 - share).abs() < 0.0117, "{distribution}: {}", clamped.len());
        assert!(clamped.iter().all(|drawn| drawn.delay == Duration::ZERO));
        assert!(delay.may_clamp() && delay.least() == Duration::ZERO);
    }
}

#[test]
fn huge_parameters_saturate() {
    let maps = [
        json!({"mean": "5124095h", "jitter": "5124095h"}),
        json!({"mean": "5124095h", "jitter": "5124095h", "distribution": "normal"}),
        json!({"mean": "5124095h", "jitter": "5124095h", "distribution": "exponential"}),
        json!({"mean": "5124095h", "jitter": "5124095h", "distribution": {"pareto": {"shape": 2.1}}}),
        json!({"mean": "512409h", "jitter": "5124090h", "distribution": "lognormal"}),
        json!({"mean": "512409h", "jitter": "5124090h", "distribution": "gamma"}),
        json!({"mean": "512409h", "jitter": "5124090h", "distribution": "weibull"}),
        json!({"mean": "5124095h", "jitter": "5124095h", "distribution": "netem-pareto"}),
    ];
    for map in maps {
        let mut spec = spec(map);
        let delay = Delay::new(spec.clone());
        drawn(&delay, 100);
        spec.correlation = "50%".parse().unwrap();
        drawn_in_a_chain(&mut Delay::new(spec), 100);
        for z in [-40.0, 40.0] {
            delay.draw_correlated(Instant::MAX, z, 0, || panic!("z is all it needs"));
        }
    }
    // a spec that no scenario could have is no reason to panic
    let empty = Distribution::Gamma(MinSpec { min: Duration::MAX });
    drawn(&Delay::new(DelaySpec { jitter: Duration::MAX, distribution: empty, ..DelaySpec::default() }), 10);
}

#[test]
fn a_delay_is_small() {
    assert!(size_of::<Delay>() <= 24, "{}", size_of::<Delay>());
}

#[test]
fn specs_come_back_as_they_went_in() {
    for (spec, _) in laws() {
        assert_eq!(Delay::new(spec.clone()).spec(), spec);
    }
    let full = spec(json!({"mean": "5ms", "jitter": "1ms", "correlation": "5%", "order": "free"}));
    let delay = Delay::new(full.clone());
    assert_eq!((delay.spec(), delay.order()), (full, Order::Free));
}

#[test]
fn samples_are_drawn_alike() {
    let text = "delay_ms\n10\n12\n12\n30\n";
    let samples = DelaySpec { samples: Some(loaded("a.csv", text)), ..DelaySpec::default() };
    let correlated = DelaySpec { correlation: "50%".parse().unwrap(), ..samples.clone() };
    let delay = Delay::new(samples);
    assert_eq!((delay.least(), delay.may_clamp(), delay.is_constant()), (Duration::from_millis(10), false, false));
    for all in [drawn(&delay, 40_000), drawn_in_a_chain(&mut Delay::new(correlated), 40_000)] {
        let count = |ms| all.iter().filter(|drawn| drawn.delay == Duration::from_millis(ms)).count() as f64;
        // within 3.3 standard errors; those of a chain with r = 0.52 are at most √((1 + r)/(1 − r)) = 1.8 times as large
        for (ms, share) in [(10, 0.25), (12, 0.5), (30, 0.25)] {
            let error = (share * (1.0 - share) / 40_000.0f64).sqrt() * 1.8;
            assert!((count(ms) / 40_000.0 - share).abs() < 3.3 * error, "{ms} ms: {}", count(ms));
        }
    }
}

#[test]
fn a_trace_moves_the_mean_under_the_jitter() {
    let mut trace: TraceFile = from_json(json!({ "file": "a.csv", "interpolate": "linear" })).unwrap();
    trace.load("time_s,delay_ms\n0,10\n1,50\n").unwrap();
    let quiet = DelaySpec { trace: Some(trace), ..DelaySpec::default() };
    let delay = Delay::new(quiet.clone());
    assert!(!delay.is_constant() && !delay.may_clamp());
    assert_eq!(delay.least(), Duration::from_millis(10));
    let half = Instant::from_nanos(500_000_000);
    assert_eq!(delay.mean_at(half), Duration::from_millis(30));
    let drawn = delay.draw(half, || panic!("without jitter there is nothing to draw"));
    assert_eq!(drawn.delay, Duration::from_millis(30));

    let jittered = DelaySpec { jitter: Duration::from_millis(5), distribution: Distribution::Exponential, ..quiet };
    let delay = Delay::new(jittered.clone());
    assert_eq!((delay.least(), delay.may_clamp()), (Duration::from_millis(5), false));
    let all: Vec<f64> = (0..N).map(|i| delay.draw(half, || key().frame(i, 0)).delay.as_millis_f64()).collect();
    assert!(kolmogorov_smirnov(&all, |x| 1.0 - (-(x - 25.0).max(0.0) / 5.0).exp()) < CRITICAL);
    let wide = Delay::new(DelaySpec { jitter: Duration::from_millis(11), ..jittered });
    assert!(wide.may_clamp() && wide.least() == Duration::ZERO);
}

/// iproute2's tables: mean, σ and percentiles of the draws are those computed from the file itself.
#[test]
fn tables_of_iproute2_are_drawn_as_they_are() {
    for name in ["experimental", "normal", "pareto", "paretonormal"] {
        let Some(text) = iproute2_table(name) else { continue };
        let entries: Vec<i32> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.split_whitespace().map(|word| word.parse::<i32>().unwrap()))
            .collect();
        let table = loaded::<DistTable>(&format!("{name}.dist"), &text);
        let spec = DelaySpec {
            jitter: Duration::from_millis(5),
            distribution: Distribution::Table(table),
            ..DelaySpec::constant(Duration::from_millis(100))
        };
        let mut expected: Vec<f64> = entries.iter().map(|e| 100.0 + 5.0 * f64::from(*e) / 8192.0).collect();
        expected.sort_by(f64::total_cmp);
        let below = |x: f64| expected.partition_point(|e| *e <= x + 1e-6) as f64 / expected.len() as f64;
        let (mean, sigma) = moments(&expected);
        let fourth = expected.iter().map(|x| ((x - mean) / sigma).powi(4)).sum::<f64>() / expected.len() as f64;

        let mut all = ms(&drawn(&Delay::new(spec.clone()), N));
        let (got_mean, got_sigma) = moments(&all);
        let root = (N as f64).sqrt();
        assert!((got_mean - mean).abs() < 3.3 * sigma / root, "{name}: {got_mean}, not {mean}");
        let error = sigma * ((fourth - 1.0) / 4.0).sqrt() / root;
        assert!((got_sigma - sigma).abs() < 3.3 * error, "{name}: σ {got_sigma}, not {sigma}");
        all.sort_by(f64::total_cmp);
        for percent in [0.01f64, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999] {
            let got = all[(percent * N as f64) as usize];
            // as many as the binomial distribution allows are below it; entries that are equal stand for several percentiles
            let slack = 3.3 * (percent * (1.0 - percent)).sqrt() / root + 1.0 / 4096.0;
            let (low, high) = (below(got - 1e-5), below(got));
            assert!(low - slack <= percent && percent <= high + slack, "{name}: {percent} at {got}: {low} to {high}");
        }
        // a chain draws from the same entries
        let correlated = DelaySpec { correlation: "30%".parse().unwrap(), ..spec };
        let chained: Vec<f64> = ms(&drawn_in_a_chain(&mut Delay::new(correlated), N)).into_iter().step_by(5).collect();
        let (got_mean, _) = moments(&chained);
        assert!((got_mean - mean).abs() < 3.3 * sigma / (N as f64 / 5.0).sqrt(), "{name}: {got_mean}, not {mean}");
    }
}

/// Draws are part of what users rely on: the same in every release.
#[test]
fn known_answers_hold_across_releases() {
    let mut answers = Vec::new();
    for (spec, _) in laws() {
        let delay = Delay::new(spec);
        answers.push([0, 1].map(|i| delay.draw(Instant::ZERO, || key().frame(i, 0)).delay.as_nanos()));
    }
    assert_eq!(answers, KNOWN);
    let mut delay =
        Delay::new(spec(json!({"mean": "20ms", "jitter": "5ms", "distribution": "gamma", "correlation": "50%"})));
    let chain: Vec<u64> = drawn_in_a_chain(&mut delay, 3).iter().map(|drawn| drawn.delay.as_nanos()).collect();
    assert_eq!(chain, KNOWN_CHAIN);
}

const KNOWN: [[u64; 2]; 11] = [
    [18_757_802, 17_012_655],
    [17_223_298, 17_419_545],
    [21_000_755, 15_646_320],
    [19_953_234, 17_367_455],
    [20_329_786, 16_532_749],
    [16_923_170, 17_087_508],
    [17_226_683, 17_300_647],
    [16_962_206, 17_139_271],
    [17_489_741, 17_021_453],
    [21_000_755, 15_646_320],
    [22_258_894, 14_315_247],
];
const KNOWN_CHAIN: [u64; 3] = [16_968_823, 16_201_789, 16_740_794];
