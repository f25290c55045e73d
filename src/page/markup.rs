//! HTML and XML in the making. Every text and every attribute is escaped here and nowhere else, and every element that is opened is
//! closed: what comes out is HTML5 that an XML reader reads too.

use crate::diag::printable::printable_block;

/// A piece of a page.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

/// An attribute and its value, which is escaped.
pub(crate) type Attribute<'a> = (&'static str, &'a str);

impl Markup {
    /// An element with what `inside` writes into it.
    pub(crate) fn element(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        inside: impl FnOnce(&mut Markup),
    ) {
        self.open(name, attributes);
        self.0.push('>');
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        if !INLINE.contains(&name) {
            self.0.push('\n');
        }
    }

    /// An element that holds a text.
    pub(crate) fn leaf(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// An element without content: `meta` and its like in HTML, a shape in SVG.
    pub(crate) fn void(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.open(name, attributes);
        self.0.push_str("/>");
    }

    fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            self.0.push(' ');
            self.0.push_str(key);
            self.0.push_str("=\"");
            escape(&mut self.0, value);
            self.0.push('"');
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) {
        escape(&mut self.0, text);
    }

    /// What is markup already: a drawing or a style of this program's own making, never text from outside.
    pub(crate) fn own(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Elements behind which a line's end would be a space.
const INLINE: [&str; 11] = ["a", "b", "code", "span", "small", "strong", "text", "title", "tspan", "summary", "pre"];

/// Escapes for element content and for quoted attributes alike. What does not print, control characters among it, which XML does not
/// have, is shown by its number; but for a carriage return at a line's end, which says nothing.
fn escape(out: &mut String, text: &str) {
    for c in printable_block(&text.replace("\r\n", "\n")).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(make: impl FnOnce(&mut Markup)) -> String {
        let mut markup = Markup::default();
        make(&mut markup);
        markup.finish()
    }

    #[test]
    fn elements_are_closed_and_nested() {
        let html = made(|m| {
            m.element("ul", &[("class", "x")], |m| {
                m.leaf("li", &[], "one");
                m.void("br", &[]);
            });
        });
        assert_eq!(html, "<ul class=\"x\"><li>one</li>\n<br/></ul>\n");
    }

    #[test]
    fn nothing_gets_out_of_a_text_or_an_attribute() {
        let hostile = "\"'><script>alert(1)</script>&amp;\u{1}\u{7f}\u{ffff}\r\n";
        let html = made(|m| m.leaf("p", &[("title", hostile)], hostile));
        assert_eq!(html.matches('<').count(), 2, "{html}");
        assert_eq!(html.matches('"').count(), 2, "{html}");
        let document = roxmltree::Document::parse(&html).unwrap();
        let text = document.root_element().text().unwrap();
        assert_eq!(text, "\"'><script>alert(1)</script>&amp;\\x01\\x7f\\u{ffff}\n");
        assert!(document.root_element().attribute("title").is_some_and(|title| title.contains("<script>")));
    }
}
