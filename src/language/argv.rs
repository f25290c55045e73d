//! A program and its arguments, as a list.

use std::ops::Deref;

use crate::model::form::forms;

/// A program and its arguments. A text in its place is an error that shows the list to write.
#[derive(Clone, Debug)]
pub(crate) struct Argv(pub Vec<String>);

impl Deref for Argv {
    type Target = Vec<String>;
    fn deref(&self) -> &Vec<String> {
        &self.0
    }
}

forms! {
    Argv, "Argv", "a list: a program and its arguments";
    not text => |text| format!("expected a list, found the text `{text}`: {}", instead_of(text));
    list Vec<String> => |list| Ok(Argv(list));
}

/// The list that a line means, where it needs no shell to tell words apart.
fn instead_of(line: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " /._-+=@%".contains(c);
    if line.trim().is_empty() || !line.chars().all(plain) {
        return "write `[PROGRAM, ARGUMENT, …]`, or use `shell` in place of `command`".to_owned();
    }
    let word = |word: &str| match word.parse::<f64>() {
        Ok(_) => format!("\"{word}\""),
        Err(_) => word.to_owned(),
    };
    let words: Vec<String> = line.split_whitespace().map(word).collect();
    format!("write `[{}]`", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_the_list_to_write() {
        assert_eq!(instead_of("python3 -m http.server 80"), "write `[python3, -m, http.server, \"80\"]`");
        assert!(instead_of("curl $URL | wc").contains("`shell`"));
        assert!(instead_of(" ").contains("`shell`"));
    }
}
