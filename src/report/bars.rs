//! Bars of block characters: what a terminal can draw, with and without colour.

/// From one eighth of a character to all of it, from the left.
const LEFT: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// From one eighth of a character to all of it, from below.
const BELOW: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar to the right, filled up with spaces to `width` characters. What is not zero can be seen.
pub(crate) fn horizontal(value: u64, most: u64, width: usize) -> String {
    let eighths = eighths(value, most, width);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(LEFT[eighths % 8 - 1]);
    }
    format!("{bar:width$}")
}

/// Bars side by side, a character each: lines from the top, each of `values.len()` characters.
pub(crate) fn vertical(values: &[u64], most: u64, height: usize) -> Vec<String> {
    let heights: Vec<usize> = values.iter().map(|value| eighths(*value, most, height)).collect();
    let line = |row: usize| {
        let of = |eighths: &usize| match eighths.saturating_sub(row * 8) {
            0 => ' ',
            more => BELOW[more.min(8) - 1],
        };
        heights.iter().map(of).collect()
    };
    (0..height).rev().map(line).collect()
}

/// The length of a bar in eighths of a character: at least one for what is not zero, at most the whole length.
fn eighths(value: u64, most: u64, length: usize) -> usize {
    if value == 0 {
        return 0;
    }
    let all = length * 8;
    // rounded to the nearest; 128 bits, because rates are large
    let scaled = (u128::from(value) * all as u128 * 2 + u128::from(most)) / (u128::from(most.max(1)) * 2);
    usize::try_from(scaled).unwrap_or(all).clamp(1, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_and_fill_their_width() {
        assert_eq!(horizontal(0, 10, 4), "    ");
        assert_eq!(horizontal(10, 10, 4), "████");
        assert_eq!(horizontal(5, 10, 4), "██  ");
        assert_eq!(horizontal(9, 16, 2), "█▏");
        assert_eq!(horizontal(1, u64::MAX, 3), "▏  ", "what is not zero can be seen");
        assert_eq!(horizontal(u64::MAX, 1, 2), "██");
        assert_eq!(horizontal(0, 0, 1), " ");
    }

    #[test]
    fn columns_stand_on_the_last_line() {
        assert_eq!(vertical(&[0, 1, 8, 16, 12], 16, 2), ["   █▄", " ▁███"]);
        assert_eq!(vertical(&[], 16, 2), ["", ""]);
    }
}
